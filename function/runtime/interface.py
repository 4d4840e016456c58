"""What both ways to ONNX Runtime offer, and raise: its library, and its Python package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from onnxlet.function.arrays import Array

if TYPE_CHECKING:
    from mmap import mmap

# By the codes of `OrtErrorCode`, as ONNX Runtime's own Python package writes them in its messages.
CODES = {
    1: "FAIL", 2: "INVALID_ARGUMENT", 3: "NO_SUCHFILE", 4: "NO_MODEL", 5: "ENGINE_ERROR",
    6: "RUNTIME_EXCEPTION", 7: "INVALID_PROTOBUF", 8: "MODEL_LOADED", 9: "NOT_IMPLEMENTED",
    10: "INVALID_GRAPH", 11: "EP_FAIL",
}  # fmt: skip
FAIL, INVALID_ARGUMENT, RUNTIME_EXCEPTION, NOT_IMPLEMENTED = 1, 2, 6, 9


class RuntimeFault(Exception):
    """ONNX Runtime did not do what it was asked for; `code` is one of CODES."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"[ONNXRuntimeError] : {code} : {CODES.get(code, 'UNKNOWN')} : {message}")
        self.code = code


class RuntimeMissing(Exception):
    """No ONNX Runtime can be had in this process; its text says why."""


class Ending(Protocol):
    """What ends a run from another thread: ONNX Runtime stops before its next node."""

    @property
    def asked(self) -> bool:
        """For the end."""

    def ask(self) -> None:
        """End the run that this was given to, which raises RuntimeFault."""


class Session(Protocol):
    """A model that runs on this machine's processor; safe from several threads."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Types by name, in the graph's order: as NumPy calls them, `string`, "" of no tensor."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The same of outputs."""

    def run(
        self,
        outputs: Sequence[str] | None,
        feeds: Mapping[str, Array],
        ending: Any = None,  # an Ending of the same module
    ) -> list[Array]:
        """The outputs of these names, in their order; None stands for all.

        Feeds are arrays of numbers, or of objects that are texts; so are the outputs. Raises
        RuntimeFault where a feed is missing, unknown, of another type or shape, or the graph
        raises; or another thread has asked for the end.
        """


class Binding(Protocol):
    """A module that makes them."""

    @property
    def Session(self) -> Callable[[bytes | str, int, Mapping[str, mmap] | None], Session]:  # noqa: N802 - a class
        """Opens a model."""

    @property
    def Ending(self) -> Callable[[], Ending]:  # noqa: N802 - a class
        """Makes what ends a run of its sessions."""

    def version(self) -> str:
        """Of ONNX Runtime."""
