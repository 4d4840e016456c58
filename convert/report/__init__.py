"""What a model is good at: figures on held-out rows, and the report that shows them.

The findings are plain JSON; the page and the model card are pure functions of them. All of them lie
beside the model, and none belongs to it: the manifest does not list them, bundles leave them out.
"""

from onnxlet.function.models.model import PAGE, PAGE_HASH, REPORT

JSON, HTML, MARKDOWN = f"{REPORT}json", PAGE, f"{REPORT}md"
TEST_ROWS = f"{REPORT}csv"  # with their answers: somebody's data, as golden rows are
FILES = (JSON, PAGE_HASH, HTML, MARKDOWN, TEST_ROWS)
