"""Drawing: colours, and matplotlib's plots as SVG that the page's style colours."""
