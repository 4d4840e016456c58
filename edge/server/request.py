"""One HTTP request, whole, in the form that WSGI gives an app."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

Environ = dict[str, Any]


class Request(NamedTuple):
    """One request."""

    environ: Environ  # WSGI's, with the whole body
    keep: bool  # the client wants to keep the connection open


class BrokenBody(io.RawIOBase):
    """Stands for a body that broke off: reading it raises."""

    def read(self, size: int = -1) -> bytes:
        """Refuse to be read: ConnectionError is raised."""
        raise ConnectionError("the body does not have the form that its head announces")
