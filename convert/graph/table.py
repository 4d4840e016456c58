"""The columns that an estimator is given, selected by position and by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, overload

from onnxlet.convert.graph.nodes import Unsupported
from onnxlet.convert.graph.tensor import DROPPED, Tensor


@dataclass(frozen=True)
class Table:
    """The columns that an estimator is given: tensors side by side.

    Where the columns have names, `table["a"]`, `table[["a", "b"]]`, `table.assign(c=…)` and
    `table.drop("a")` do the same as for a DataFrame.
    """

    tensors: tuple[Tensor, ...]  # in the order of the columns
    flat: bool = False  # whether the one column is a Series, or an array of one dimension
    # Whether the transformer that makes it returns a DataFrame, whatever `set_output` says.
    frame: bool = False

    @property
    def width(self) -> int:
        """How many columns there are."""
        return sum(tensor.width for tensor in self.tensors)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The columns' names, or () where they have none."""
        labels = tuple(label for tensor in self.tensors for label in tensor.labels)
        return labels if len(labels) == self.width else ()

    @overload
    def __getitem__(self, names: str) -> Tensor: ...

    @overload
    def __getitem__(self, names: list[str]) -> Table: ...

    def __getitem__(self, names: str | list[str]) -> Tensor | Table:
        """One column, numbers in the graph's precision; or several, unchanged.

        Raises:
            Unsupported: the columns have no names, or other ones.
        """
        if isinstance(names, str):
            [tensor] = self[[names]].tensors
            return tensor if tensor.dtype in ("string", DROPPED) else _number(tensor)
        at = {label: position for position, label in enumerate(self._names())}
        lacking = [name for name in names if name not in at]
        if lacking:
            raise Unsupported(
                f"its converter asks for columns that it is not given: {lacking[:5]}",
                f"It is given {', '.join(map(str, self.labels[:20]))}.",
            )
        chosen: Table = self.tensors[0].graph.select(self, [at[name] for name in names])
        return replace(chosen, frame=True)

    def assign(self, **made: Tensor) -> Table:
        """The table with these columns: each replaces the one of its name, or comes last.

        Raises:
            Unsupported: the columns have no names.
            TypeError: a column is no tensor.
            ValueError: a tensor has several columns.
        """
        new = {name: _as_column(name, tensor) for name, tensor in made.items()}
        tensors: list[Tensor] = []
        for is_new, group in groupby(self._names(), new.__contains__):
            names = list(group)
            tensors += [new[name] for name in names] if is_new else self[names].tensors
        behind = [tensor for name, tensor in new.items() if name not in self.labels]
        return Table((*tensors, *behind), frame=True)

    def drop(self, *names: str) -> Table:
        """The table without these columns.

        Raises:
            Unsupported: the columns have no names, or other ones.
        """
        dropped = set(self[list(names)].labels)
        return self[[name for name in self.labels if name not in dropped]]

    def _names(self) -> Sequence[str]:
        if not self.labels:
            raise Unsupported(
                "its converter asks for columns by name, and they have none",
                "Take them by position, graph.matrix(table).take([0]); or have the step before "
                "return a DataFrame: set_output(transform='pandas').",
            )
        return self.labels


def _number(tensor: Tensor) -> Tensor:
    """The column in the graph's precision, in which converters compute."""
    return replace(tensor.cast(tensor.graph.precision), labels=tensor.labels)


def _as_column(name: str, tensor: object) -> Tensor:
    """A column of that name; a bool becomes a number of type bool, as booleans of inputs are."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"column '{name}': expected a tensor, got {type(tensor).__name__}")
    if tensor.width != 1:
        raise ValueError(f"column '{name}': expected one column, got {tensor.width}")
    if tensor.dtype == "bool":
        return replace(_number(tensor), labels=(name,), types=("bool",))
    return replace(tensor, labels=(name,))
