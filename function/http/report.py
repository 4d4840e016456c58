"""`GET /models/N/report`: how good the model is, where a report lies beside it.

A report is not the model's, so the manifest has no hash of it. It has one beside it: a file that
was put in its place, or that a link makes of another one, is not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.folders import typed
from onnxlet.function.errors import ModelError, NotServed
from onnxlet.function.messages import Reply, Request
from onnxlet.function.model_files import read_checked, read_file
from onnxlet.function.models.model import PAGE, PAGE_HASH

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

# The file has no script, asks for nothing, and is nobody's frame: its own style is all there is.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


LARGEST = 2**26  # bytes; a stranger's file may have more than there is memory


def answer(service: Service, request: Request, name: str) -> Reply:
    """The report of the version that is served, or of the one that `version` names."""
    model = service.repository.choose(name, request.query.get("version"))
    label = f"report of {model.name} version {model.version}"
    if model.directory is None or not model.has_report:
        raise NotServed(
            f"no {label} here",
            "`train`, and `build --report`, write one; bundles leave it out. "
            f"{typed('convert', 'report')} writes that of an older version of onnxlet again.",
        )
    try:
        expected = read_file(model.directory, PAGE_HASH, 64).decode("ascii", "replace")
        page = read_checked(model.directory, PAGE, expected, f"the {label}", LARGEST)
    except (OSError, ModelError) as error:  # how it differs is its operator's, not a client's
        raise NotServed(
            f"the {label} is not the one that was written",
            f"{typed('convert', 'report')} writes it again.",
        ) from error
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Reply(page, "text/html; charset=utf-8", 200, headers)
