"""Flask and Werkzeug, imported without the parts that never run here.

The rest of this package takes them from here, once a request needs them.
"""

from __future__ import annotations

from onnxlet.function.http.stand_ins import stubs

with stubs():
    from flask import Flask, Response, request
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Rule

__all__ = [
    "Flask",
    "HTTPException",
    "Response",
    "Rule",
    "request",
]
