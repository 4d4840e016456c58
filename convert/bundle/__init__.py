"""From model directories to one zip for one Python and one architecture, signed and published."""
