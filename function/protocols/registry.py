"""The protocols that clients speak, a module each: an `onnxlet.function.messages.WireProtocol`.

To add one, write its module and name it here.
"""

from __future__ import annotations

from onnxlet.function.messages import WireProtocol
from onnxlet.function.protocols import invocations, native, v1, v2

# The first one that owns a path answers there; the native protocol owns all the rest.
PROTOCOLS: tuple[WireProtocol, ...] = (v2, v1, invocations, native)


def protocol_of(path: str) -> WireProtocol:
    """The protocol in whose form this path's errors are answered."""
    return next(protocol for protocol in PROTOCOLS if protocol.owns(path))
