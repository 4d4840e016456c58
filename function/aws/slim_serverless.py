"""serverless-wsgi, imported without the parts of Werkzeug that never run here."""

from __future__ import annotations

from onnxlet.function.http.stand_ins import stubs

with stubs():
    import serverless_wsgi

serverless_wsgi.TEXT_MIME_TYPES.append("application/problem+json")

__all__ = ["serverless_wsgi"]
