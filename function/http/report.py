"""`GET /models/N/report`: how good the model is, where a report lies beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.function.errors import NotServed
from onnxlet.function.messages import Reply, Request

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

# The file has no script, asks for nothing, and is nobody's frame: its own style is all there is.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def answer(service: Service, request: Request, name: str) -> Reply:
    """The report of the version that is served, or of the one that `version` names."""
    model = service.repository.choose(name, request.query.get("version"))
    path = model.report
    if path is None:
        raise NotServed(
            f"no report of {model.name} version {model.version} here",
            "`train`, and `build --report`, write one; bundles leave it out.",
        )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Reply(path.read_bytes(), "text/html; charset=utf-8", 200, headers)
