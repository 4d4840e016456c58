r"""What a model is good at: figures on held-out rows, and the report that shows them.

The findings are plain JSON; the page and the model card are pure functions of them. All three lie
beside the model, and none belongs to it: the manifest does not list them, bundles leave them out.
"""

FORMAT = 1  # of the findings
JSON, HTML, MARKDOWN = "report.json", "report.html", "report.md"
FILES = (JSON, HTML, MARKDOWN)
