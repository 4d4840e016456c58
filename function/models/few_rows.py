"""Runs of few rows in Python's own lists: from the cells of blocks to those of outputs.

A few rows are gathered and answered as fast so, and NumPy need not be there. What most models are
made of is done here: columns of numbers and texts, steps of cells, counts of tokens. Other models,
and what is odd, go by arrays.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

from onnxlet.function import deadline
from onnxlet.function.arrays import MISSING_TEXT, Cells, LateOutputs, Noted
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.feeds import Feed
from onnxlet.function.inputs.signature import Signature

if TYPE_CHECKING:
    from onnxlet.function.runtime.prepared import Runs
    from onnxlet.function.runtime.session import Session

Blocks = Sequence[Cells]
Take = Callable[[Blocks, int], Cells]
Declare = Callable[[Cells, int], Cells]
FED = {("float64", "float32")}  # a block's dtype, and the tensor's, where these differ
# The type of a tensor, and of the output that it is declared as, where these differ.
DECLARED: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("int64", "bool"): bool,
    ("int64", "float64"): float,
    ("int32", "int64"): int,
    ("float64", "int64"): int,
}
KNOWN = DECLARED.keys() | {("float32", "float64")}  # which are declared without NumPy
RAISING = (
    "scikit-learn raises for these values: inside the model a text is no number or no "
    "known category, or a number becomes infinite, missing or larger than its type holds"
)
MOST_SIZES = 32  # numbers of rows whose runs are remembered


class FewRows:
    """Answers few rows of one model."""

    def __init__(
        self,
        session: Session,
        signature: Signature,
        names: Sequence[str],
        watched: bool,
        back_end: Mapping[str, Declare],
    ) -> None:
        self._session, self._signature = session, signature
        self._names, self._watched = tuple(names), watched
        widths = [len(block.columns) for block in signature.blocks]
        held = [block.dtype for block in signature.blocks]
        self._takes = [_taker(feed, widths, held) for feed in signature.feeds]
        self._takes += [steps.cells for steps in signature.step_feeds]
        self._given = (
            *[feed.name for feed in signature.feeds],
            *[feed.name for feed in signature.step_feeds],
            *[name for feed in signature.token_feeds for name in (feed.name, feed.positions)],
        )
        pairs = zip(signature.outputs, names, strict=False)
        self._declare = {
            output.name: back_end.get(output.name) or _declaring(output, session.outputs[name])
            for output, name in pairs
        }
        self._runs: dict[int, Runs] = {}  # by the number of rows

    def answer(self, blocks: Blocks, rows: int, noted: Noted | None) -> LateOutputs | None:
        """The outputs by name; None where something is odd.

        Raises InvalidRows as `Model.run`.
        """
        step = self._signature.rows_at_once or rows
        if rows > step and noted is not None:
            return None
        try:
            if rows <= step:
                answered = self._answered(blocks, rows, noted)
            else:
                answered = self._in_parts(blocks, rows, step)
        except (struct.error, OverflowError, ValueError):
            answered = None
        if answered is None and noted is not None:
            noted.clear()
        return answered

    def _answered(self, blocks: Blocks, rows: int, noted: Noted | None) -> LateOutputs | None:
        given = [take(blocks, rows) for take in self._takes]
        for tokens in self._signature.token_feeds:
            given += tokens.cells(blocks, noted)
        runs = self._of(given, rows)
        if runs is None:
            return None
        found = deadline.run(lambda end: runs.run(given, end))
        if self._watched:
            refuse_raising(found.pop().values)
        pairs = zip(found, self._declare.items(), strict=True)
        return LateOutputs({name: declare(each, rows) for each, (name, declare) in pairs})

    def _in_parts(self, blocks: Blocks, rows: int, step: int) -> LateOutputs | None:
        """The same of so many rows at once: what a graph computes on the way is as large."""
        parts, problems = list[LateOutputs | None](), list[Problem]()
        for start in range(0, rows, step):
            some = range(start, min(start + step, rows))
            try:
                parts.append(
                    self._answered([each.chosen(some) for each in blocks], len(some), None)
                )
            except InvalidRows as error:
                problems += [each._replace(row=(each.row or 0) + start) for each in error.every]
        if problems:
            raise InvalidRows(problems)
        known = [part.cells for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return LateOutputs(
            {
                name: Cells(
                    [*chain.from_iterable(part[name].values for part in known)],
                    (rows, *first.shape[1:]),
                    first.dtype,
                )
                for name, first in known[0].items()
            }
        )

    def _of(self, given: Sequence[Cells], rows: int) -> Runs | None:
        if (known := self._runs.get(rows)) is not None:
            return known
        runs = self._session.runs_of(self._names, dict(zip(self._given, given, strict=True)))
        # The shapes of counts depend on the texts.
        if runs is not None and not self._signature.token_feeds:
            if len(self._runs) >= MOST_SIZES:
                self._runs.clear()
            self._runs[rows] = runs
        return runs


def few_rows_of(
    session: Any,
    signature: Signature,
    names: Sequence[str],
    watched: bool,
    back_end: Mapping[str, Declare],
) -> FewRows | None:
    """What answers few rows of a model, whose back end has steps; None where only arrays do."""
    others = (signature.nested, signature.id_feed, signature.image_feeds, signature.sentence_feeds)
    held = [block.dtype for block in signature.blocks]
    fed = [(held[block], feed.dtype) for feed in signature.feeds for block, _ in feed.at]
    declared = [
        (session.outputs[name], output.type)
        for name, output in zip(names, signature.outputs, strict=False)
        if output.name not in back_end
    ]
    if (
        any(others)
        or not hasattr(session, "runs_of")
        or any(one != other and (one, other) not in FED for one, other in fed)
        or any(one != other and (one, other) not in KNOWN for one, other in declared)
    ):
        return None
    return FewRows(session, signature, names, watched, back_end)


def refuse_raising(flags: Sequence[Any]) -> None:
    """Raise InvalidRows for rows that scikit-learn raises for, by a flag for each."""
    if any(flags):
        raise InvalidRows([Problem(n, None, RAISING) for n, flag in enumerate(flags) if flag])


def _taker(feed: Feed, widths: Sequence[int], held: Sequence[str]) -> Take:
    """Takes a tensor's cells out of the blocks, row by row."""
    at = feed.at
    if feed.whole is not None:  # as most models are fed
        only, width, dtype = feed.whole, len(at), feed.dtype
        if dtype == held[only]:
            return lambda blocks, rows: blocks[only]
        return lambda blocks, rows: Cells(blocks[only].values, (rows, width), dtype)
    inner = feed.shape or (-1, len(at))
    fixed = prod(size for size in inner if size != -1)

    def take(blocks: Blocks, rows: int) -> Cells:
        if rows == 1:
            found = [blocks[block].values[column] for block, column in at]
        else:
            found = [
                blocks[block].values[row * widths[block] + column]
                for row in range(rows)
                for block, column in at
            ]
        shape = tuple(rows * len(at) // fixed if size == -1 else size for size in inner)
        return Cells(found, shape, feed.dtype)

    return take


def _declaring(output: Output, answered: str) -> Declare:
    """Makes a tensor's cells those of an output: whole-number tensors hold bool and float labels.

    A column of one value per row is flat; a missing text is None. It raises ValueError where the
    values do not fill the declared shape.
    """
    inner = output.shape[1:] if output.shape.count(-1) == 1 else None
    width, wanted, texts = prod(inner or ()), output.type, output.type == "string"
    change = DECLARED.get((answered, wanted))

    def declare(cells: Cells, rows: int) -> Cells:
        values, shape, dtype = cells
        if texts and MISSING_TEXT in values:
            values = [None if value == MISSING_TEXT else value for value in values]
        elif change is not None:
            values, dtype = list(map(change, values)), wanted
        if inner is None:
            return Cells(values, shape, dtype)
        if len(values) != rows * width:
            raise ValueError(f"{len(values)} values do not fill {output.shape}")
        if values is cells.values and shape == (rows, *inner):  # as most are answered
            return cells
        return Cells(values, (rows, *inner), dtype)

    return declare
