"""The protocols beside the native one, a folder each.

To add one, write its folder and name it here. Its `__init__.py` is an
`onnxlet.function.messages.WireProtocol`; its `openapi.py` has `PART`, its words in `/openapi.json`,
which neither a start nor a prediction imports.
"""

from __future__ import annotations

from onnxlet.function.messages import WireProtocol
from onnxlet.function.protocols import invocations, v1, v2

# The first one that owns a path answers there; the native protocol owns all the rest.
OTHERS: tuple[WireProtocol, ...] = (v2, v1, invocations)
