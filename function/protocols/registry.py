"""The protocols that clients speak: a module each, of the form `onnxlet.function.messages.Dialect`.

To add one, write its module and name it here.
"""

from __future__ import annotations

from onnxlet.function.messages import Dialect
from onnxlet.function.protocols import invocations, native, v1, v2

# The first that owns a path has it; the native dialect owns what nobody else does.
DIALECTS: tuple[Dialect, ...] = (v2, v1, invocations, native)


def dialect_of(path: str) -> Dialect:
    """The dialect in which this path's errors are told."""
    return next(dialect for dialect in DIALECTS if dialect.owns(path))
