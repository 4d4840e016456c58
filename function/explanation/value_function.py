"""A model as a game: the players are columns, and the tokens of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.explanation.masking import Bits, Cells, Mixer, Parts, Tokens, beside
from onnxlet.function.explanation.shapley import Span
from onnxlet.function.inputs.validation import Table

if TYPE_CHECKING:
    from onnxlet.function.explanation.counting import Counted
    from onnxlet.function.explanation.texts import Pieces

Tensors = Mapping[str, Mapping[str, Array]]  # of tokens that are counted already
Evaluate = Callable[[Table, Tensors], Array]  # answers in float64 of shape (rows, outputs)
Place = tuple[int, int]  # a block, and a column there

CELLS_AT_ONCE = 48_000  # of each array that is mixed: they stay in the processor's cache
MOST_AT_ONCE = 8_000  # rows, whatever their width
NUMBERS_AT_ONCE = 1_000_000  # that are answered together
MIXED = (
    "a mix of this row's cells and the background's has no finite answer, or scikit-learn raises "
    "for it: columns that depend on each other can't be explained apart"
)


class _Part(NamedTuple):
    """Columns of one block that are mixed together.

    Attributes:
        block: which.
        places: of the columns there.
        first: the first of their players.
        last: the one behind the last.
        mixer: of their cells.
    """

    block: int
    places: list[int]
    first: int
    last: int
    mixer: Mixer


class TableGame:
    """Instances against background rows; `onnxlet.function.explanation.shapley.Game`.

    Args:
        background: its rows, each as often as it has a slot.
        start: the answers to these.
        instances: rows; one alone where there are texts.
        end: the answers to these.
        numbers: which rows of the request they are.
        texts: of the one instance, by the column's place.
        counts: of these, where texts need not be put together.
        evaluate: the model.
        wide: numbers that it answers for each row, those that are not explained included.

    Attributes:
        numbers: which rows of the request the instances are.
        texts: as given.
        columns: the player or span of each required column, by its place.
        evaluations: rows that were answered.
    """

    def __init__(
        self,
        background: Table,
        start: Array,
        instances: Table,
        end: Array,
        numbers: Sequence[int],
        texts: Mapping[Place, Pieces],
        counts: Mapping[Place, Sequence[Counted]],
        evaluate: Evaluate,
        wide: int,
    ) -> None:
        self.start, self.end = start, end
        self.numbers, self.texts = numbers, texts
        self._instances = instances
        self._evaluate = evaluate
        self.evaluations = 0
        self.columns: dict[Place, int] = {}
        width = sum(array.shape[1] for array in background.arrays)
        width += sum(feed.width for feeds in counts.values() for feed in feeds)
        rows = min(MOST_AT_ONCE, CELLS_AT_ONCE // max(width, 1), NUMBERS_AT_ONCE // wide)
        self.at_once = max(1, rows // background.rows)
        self._parts: list[_Part] = []
        self._first = 0
        for block, array in enumerate(background.arrays):
            self._add_columns(block, array, texts)
        spans: list[Span] = []
        self._tokens: list[Tokens] = []
        for (block, place), pieces in texts.items():
            mixer = Parts(pieces, background.rows)
            if (block, place) in counts:
                mixer = Tokens(pieces, background.rows, counts[block, place])
                self._tokens.append(mixer)
            self._add(block, [place], len(pieces.parts), mixer)
            spans.append((self._first - len(pieces.parts), self._first))
        self.spans: Sequence[Span] = spans
        self.players = self._first
        self.columns |= {place: self.players + n for n, place in enumerate(texts)}

    def _add_columns(self, block: int, array: Array, texts: Mapping[Place, Pieces]) -> None:
        places = [place for place in range(array.shape[1]) if (block, place) not in texts]
        if places:
            first = self._first
            self.columns |= {(block, place): first + n for n, place in enumerate(places)}
            kind: type[Bits] | type[Cells] = Cells if array.dtype.kind in "bO" else Bits
            self._add(block, places, len(places), kind(array[:, places], self.at_once))

    def _add(self, block: int, places: list[int], players: int, mixer: Mixer) -> None:
        self._parts.append(_Part(block, places, self._first, self._first + players, mixer))
        self._first += players

    def pairs(self, masks: Array) -> tuple[Array, Array]:
        """What coalitions and the rest of the players are worth, on each background row.

        Raises:
            InvalidRows: an instance's mix with the background has no answer.
        """
        for part in self._parts:
            part.mixer.prepare(masks[:, :, part.first : part.last])
        sides = (2, len(masks), *self.start.shape)
        tensors = {name: both for each in self._tokens for name, both in each.tensors().items()}
        values = [
            self._answers(self._mixed(row), tensors, row).reshape(sides)
            for row in range(self._instances.rows)
        ]
        both = values[0][None] if len(values) == 1 else np.stack(values)
        return both[:, 0], both[:, 1]

    def check(self, values: Array) -> None:
        """Refuse instances that have values which are not finite.

        Raises:
            InvalidRows: some have; the values' first dimension is the instances.
        """
        finite = np.isfinite(values)
        if not finite.all():
            odd = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1)).tolist()
            raise InvalidRows([Problem(self.numbers[row], None, MIXED) for row in odd])

    def _mixed(self, row: int) -> Table:
        blocks: list[list[tuple[list[int], Array]]] = [[] for _ in self._instances.arrays]
        for part in self._parts:
            cells = self._instances.arrays[part.block][row, part.places]
            blocks[part.block].append((part.places, part.mixer.mix(cells)))
        arrays = [beside(block) for block in blocks]
        return Table(len(arrays[0]), arrays)

    def _answers(self, table: Table, tensors: Tensors, row: int) -> Array:
        self.evaluations += table.rows
        try:
            return self._evaluate(table, tensors)
        except InvalidRows as error:
            raise InvalidRows([Problem(self.numbers[row], None, MIXED)]) from error
