"""Sessions of ONNX Runtime's build for the web, which `page/runtime.js` opens and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from onnxlet.edge.browser.absent import NeedsServer
from onnxlet.function.arrays import Cells
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.runtime.faults import FAIL, RuntimeFault
from onnxlet.function.runtime.tensor_types import (
    BY_NAME,
    STRING,
    TYPES,
    cells_of,
    packing,
)


class Session:
    """A model that runs here; as `runtime.session.Session`, without arrays."""

    def __init__(self, host: Any, onnx: bytes) -> None:
        """Open a serialised model; RuntimeFault where it is none that runs here."""
        self._host = host
        self._handle, inputs, outputs = _called(host.open, onnx)
        self.inputs = {name: _name(code) for name, code in inputs}
        self.outputs = {name: _name(code) for name, code in outputs}

    def __del__(self) -> None:
        """Give its memory back, as after a proof: the model is opened again to be served."""
        if (handle := self.__dict__.get("_handle")) is not None:
            self._host.close(handle)

    def run(self, *given: Any, **more: Any) -> Any:
        """Refuse: what only arrays can be made of needs NumPy."""
        raise NeedsServer("these rows")

    def runs_of(self, outputs: Sequence[str], feeds: Mapping[str, Cells]) -> Runs:
        """Runs of values such as these."""
        return Runs(self._host, self._handle, outputs, tuple(feeds))


class Runs:
    """Runs of one session, of whatever shapes."""

    def __init__(
        self, host: Any, handle: int, outputs: Sequence[str], given: Sequence[str]
    ) -> None:
        self._host, self._handle = host, handle
        self._outputs, self._given = list(outputs), given

    def run(self, cells: Iterable[Cells], ending: Any = None) -> list[Cells]:
        """What the graph answers; RuntimeFault where it raises.

        InvalidRows names rows with a text that has U+0000 in it.
        """
        feeds = [
            [name, BY_NAME[each.dtype], list(each.shape), _packed(each)]
            for name, each in zip(self._given, cells, strict=True)
        ]
        found = _called(self._host.run, self._handle, feeds, self._outputs)
        return [
            cells_of(raw if code == STRING else bytes(raw), code, tuple(shape))
            for code, shape, raw in found
        ]


def _packed(cells: Cells) -> bytes:
    """Numbers as they are in memory; texts in UTF-8, each with its end."""
    code = BY_NAME[cells.dtype]
    if code != STRING:
        return packing(code, (prod(cells.shape),)).pack(*cells.values)
    if any("\0" in text for text in cells.values):
        raise _with_zero(cells)
    return "".join(f"{text}\0" for text in cells.values).encode()


def _with_zero(cells: Cells) -> InvalidRows:
    """What is said of rows with a text that has a zero in it: there texts of C end."""
    width = len(cells.values) // cells.shape[0]
    rows = {at // width for at, text in enumerate(cells.values) if "\0" in text}
    why = "a text has the character U+0000 in it, which can't be answered in a browser"
    return InvalidRows([Problem(row, None, why) for row in sorted(rows)])


def _called(function: Any, *given: Any) -> Any:
    """What a function of JavaScript returns, as Python has it."""
    from pyodide.ffi import JsException, to_js  # type: ignore[import-not-found] # only there

    try:
        return function(*map(to_js, given)).to_py()
    except JsException as error:
        raise RuntimeFault(int(getattr(error, "code", FAIL)), str(error.message)) from error


def _name(code: int) -> str:
    return TYPES[code].name if code in TYPES else ""
