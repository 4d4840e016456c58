"""Checks that raise: `if X.isna().any().any(): raise ValueError(…)`.

Whether some row is such is asked of all rows, and a graph has no answer to that. But a check that
only raises says which rows have none: these are marked. The function is called again for each
condition, as if some row were such, and has to raise at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from onnxlet.convert.converters.tracing.base import NotTraceable, refuse
from onnxlet.convert.graph.converter import Graph, Tensor, Unsupported

MOST = 32  # conditions that one function asks
INSTEAD = "Only a check that raises may ask this. Use np.where(condition, a, b), &, |, ~."
Made = TypeVar("Made")


class Asked:
    """The conditions that one call has met; at most one of them is taken to be true."""

    def __init__(self, true_at: int | None = None, refused: bool = False) -> None:
        self.true_at, self.refused = true_at, refused
        self.met: list[Tensor] = []

    def holds(self, condition: Tensor) -> bool:
        """Whether it is the one that is taken to be true."""
        self.met.append(condition)
        if len(self.met) > MOST:
            refuse(f"it asks for more than {MOST} conditions of all rows")
        found = len(self.met) - 1 == self.true_at
        if found and self.refused:
            refuse("it decides by whether some row is such, and does not only raise", INSTEAD)
        return found


ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


class SomeRow:
    """The proxy for whether something is so in some row: `X.isna().any()`; or in none."""

    def __init__(self, condition: Tensor, negated: bool = False) -> None:
        self._condition, self._negated = condition, negated

    def any(self, *_: Any, **__: Any) -> SomeRow:
        """Of some column, too."""
        return self if not self._negated else refuse("it mixes any() and all() of rows", INSTEAD)

    def all(self, *_: Any, **__: Any) -> SomeRow:
        """Of all columns, too."""
        return self if self._negated else refuse("it mixes any() and all() of rows", INSTEAD)

    def __invert__(self) -> SomeRow:
        return SomeRow(self._condition, not self._negated)

    def __bool__(self) -> bool:
        asked = ASKED.get()
        if asked is None:
            refuse("it decides by whether some row is such", INSTEAD)
        return asked.holds(self._condition) is not self._negated

    def __array__(self, *_: Any, **__: Any) -> Any:
        refuse("it computes with whether some row is such", INSTEAD)

    def __getattr__(self, name: str) -> Any:
        return refuse(f"it asks .{name} of whether some row is such", INSTEAD)


def with_checks(graph: Graph, call: Callable[[], Made]) -> Made:
    """What a call returns; rows for which one of its checks raises are marked."""
    first = Asked()
    made = _called(call, first)
    known = len(graph.raising)
    for index, condition in enumerate(first.met):
        again = Asked(index)
        raises = False
        try:
            _called(call, again)
        except (NotTraceable, Unsupported):
            raise
        except Exception:  # whatever the check raises
            raises = len(again.met) == index + 1
        del graph.raising[known:]
        if not raises:
            _called(call, Asked(index, refused=True))  # so that its line is known
        graph.refuse_rows(condition)
        known = len(graph.raising)
    return made


def _called(call: Callable[[], Made], asked: Asked) -> Made:
    token = ASKED.set(asked)
    try:
        return call()
    finally:
        ASKED.reset(token)
