"""A model as a value function: the players are columns, and the tokens of texts.

Rows have some cells of an instance, and all others of a background row. They are made with few
passes over memory, since a small model answers a row in the time that it takes to write one. Cells
of eight bytes are chosen by their bits, which goes for NaN, too: `b ^ ((b ^ x) & mask)` is x where
the mask's bits are ones, and b elsewhere; `x ^ ((b ^ x) & mask)` is the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.explanation.shapley import Span
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.explanation.texts import Pieces, TokenCounts

FEWEST_BUFFERED = 16  # cells that NumPy takes into a buffer at once: no fewer can be
EVERY = slice(None)


class BitMasker:
    """Masks cells of eight bytes, of a background of shape (slots, columns).

    As each masker, it masks the cells of some columns of one block, for `n` coalitions at a time.
    `prepare` takes these up, bool of shape (n, slots or 1, players of these columns), at most
    `at_once`. `mask` takes the instance's cells, one for each column, and returns them inside of
    the coalitions, and behind these rows outside of them: an array of shape (2 * n * slots,
    columns), good until the next call.
    """

    def __init__(self, background: Array, at_once: int) -> None:
        self._slots, self._width = background.shape
        self._type = background.dtype
        self._background = np.ascontiguousarray(background).view(np.int64).reshape(-1)
        self._instance = np.empty_like(self._background)
        self._masked = np.empty((2 * at_once, background.size), np.int64)
        self._signs = np.zeros((0, 1, 1), dtype=np.int8)

    def prepare(self, masks: Array) -> None:
        """Keep the masks as 0 and -1, whose bits are all zeros and all ones."""
        self._signs = np.negative(masks.view(np.int8))

    def mask(self, cells: Array) -> Array:
        """Four passes over memory, none of which allocates."""
        n = len(self._signs)
        inside, outside = self._masked[:n], self._masked[n : 2 * n]
        instance = self._instance
        instance.view(self._type).reshape(self._slots, self._width)[:] = cells
        np.copyto(outside.reshape(n, self._slots, self._width), self._signs)
        usual = np.setbufsize(FEWEST_BUFFERED)  # or NumPy copies the cells of all coalitions
        try:
            np.bitwise_and(outside, self._background ^ instance, out=outside)
            np.bitwise_xor(outside, self._background, out=inside)
            np.bitwise_xor(outside, instance, out=outside)
        finally:
            np.setbufsize(usual)
        return self._masked[: 2 * n].view(self._type).reshape(-1, self._width)


class LookupMasker:
    """Masks cells of any other type, by their positions in a list of all that there are."""

    def __init__(self, background: Array, at_once: int) -> None:
        self._width = background.shape[1]
        self._all = np.concatenate([background.reshape(-1), background[0]])
        positions = np.arange(background.size).reshape(background.shape)
        self._positions = BitMasker(positions, at_once)
        self._instance = np.arange(background.size, len(self._all))

    def prepare(self, masks: Array) -> None:
        """Prepare the masker of positions."""
        self._positions.prepare(masks)

    def mask(self, cells: Array) -> Array:
        """Look up what stands at each position."""
        self._all[-self._width :] = cells
        return self._all.take(self._positions.mask(self._instance))


class TextMasker:
    """Makes a column of texts from the pieces that are there."""

    def __init__(self, pieces: Pieces, slots: int) -> None:
        self._parts = pieces.parts
        self._slots = slots
        self._masks: Array = np.zeros((0, 1), dtype=bool)

    def prepare(self, masks: Array) -> None:
        """Keep the masks, one for each row."""
        repeats = self._slots // masks.shape[1]
        self._masks = np.repeat(masks, repeats, axis=1).reshape(-1, masks.shape[2])

    def mask(self, cells: Array) -> Array:
        """The texts; no piece at all is the background's empty text."""
        masks = np.concatenate([self._masks, ~self._masks]).tolist()
        texts = np.empty((len(masks), 1), dtype=object)
        texts[:, 0] = ["".join(compress(self._parts, mask)) for mask in masks]
        return texts


class TokenMasker(TextMasker):
    """Counts the tokens that are there, where no text has to be put together for it."""

    def __init__(self, pieces: Pieces, slots: int, feeds: Sequence[TokenCounts]) -> None:
        super().__init__(pieces, slots)
        self._feeds = feeds

    def mask(self, cells: Array) -> Array:
        """A column of nothing, which nobody reads."""
        return np.broadcast_to(np.array("", dtype=object), (2 * len(self._masks), 1))

    def tensors(self) -> dict[str, dict[str, Array]]:
        """The model's feeds, by their names, of the coalitions that were prepared."""
        masks = np.concatenate([self._masks, ~self._masks])
        return {feed.name: feed.tensors(masks) for feed in self._feeds}


Masker = BitMasker | LookupMasker | TextMasker


def side_by_side(parts: Sequence[tuple[list[int], Array]]) -> Array:
    """Columns of one block side by side, each part with the positions where it belongs."""
    if len(parts) == 1:
        return parts[0][1]
    rows, width = len(parts[0][1]), sum(len(positions) for positions, _ in parts)
    block = np.empty((rows, width), dtype=parts[0][1].dtype)
    for positions, columns in parts:
        block[:, positions] = columns
    return block


def distinct(masks: Array) -> tuple[Array, Any, Any]:
    """Coalitions that differ, also from the others' complements; of shape (n, 1, players).

    Returns them in the same form; of shape (2, n), whether each of the n and its complement are one
    of them, 0, or the complement of one, 1; and which, of shape (n,).
    """
    sides = np.stack([~masks[:, 0, 0], masks[:, 0, 0]])  # the first player is in one of the two
    pairs = masks[:, 0] ^ sides[0][:, None]
    alike, which = np.unique(pairs @ (1 << np.arange(masks.shape[2])), return_inverse=True)
    last = np.empty(len(alike), np.intp)  # of the pairs that are alike
    last[which] = np.arange(len(which))
    return pairs[last, None], sides.astype(np.intp), which


Tensors = Mapping[str, Mapping[str, Array]]  # of tokens that are counted already
Evaluate = Callable[[CheckedBatch, Tensors], Array]  # answers in float64 of shape (rows, outputs)
Position = tuple[int, int]  # a block, and a column there

CELLS_MASKED_AT_ONCE = 96_000  # of each array: both sides of the coalitions take 1.5 MB
ROWS_MASKED_AT_ONCE = 8_000  # rows, whatever their width
MOST_ALIKE = 32  # players: of more, few coalitions are drawn twice
NUMBERS_ANSWERED_AT_ONCE = 1_000_000  # that are answered together
NOT_ANSWERED = (
    "a mix of this row's cells and the background's has no finite answer, or scikit-learn raises "
    "for it: columns that depend on each other can't be explained apart"
)


class _Part(NamedTuple):
    """Columns of one block that are masked together."""

    block: int  # which
    positions: list[int]  # of the columns there
    first: int  # the first of their players
    last: int  # the one behind the last
    masker: Masker  # of their cells
    cells: Array  # the instances', of shape (instances, columns)


class TableValueFunction:
    """Instances against background rows; `onnxlet.function.explanation.shapley.ValueFunction`."""

    def __init__(
        self,
        background: CheckedBatch,  # its rows
        start: Array,  # the answers to these, again and again, for as many slots
        instances: CheckedBatch,  # rows; only one where there are texts
        end: Array,  # the answers to these
        numbers: Sequence[int],  # which rows of the request they are
        texts: Mapping[Position, Pieces],  # of the one instance, by the column's position
        # Of these, where texts need not be put together.
        counts: Mapping[Position, Sequence[TokenCounts]],
        evaluate: Evaluate,  # the model
        wide: int,  # numbers that the model answers for each row, also those that are not explained
        pixels: int = 0,  # numbers that it is fed with for each row's images
    ) -> None:
        self.start, self.end = start, end
        self.numbers, self.texts = numbers, texts
        self._instances, self._rows = instances, background.rows
        self._evaluate = evaluate
        self.evaluations = 0  # rows whose answers were needed; of equal ones each counts
        # The player or span of each required column, by its position.
        self.columns: dict[Position, int] = {}
        width = sum(array.shape[1] for array in background.arrays) + pixels
        width += sum(feed.width for feeds in counts.values() for feed in feeds)
        rows = min(
            ROWS_MASKED_AT_ONCE,
            CELLS_MASKED_AT_ONCE // max(width, 1),
            NUMBERS_ANSWERED_AT_ONCE // wide,
        )
        self.at_once = max(1, rows // len(start))
        self._parts: list[_Part] = []
        self._first = 0
        for block, array in enumerate(background.arrays):
            self._add_columns(block, array, texts)
        spans: list[Span] = []
        self._tokens: list[TokenMasker] = []
        for (block, position), pieces in texts.items():
            masker = TextMasker(pieces, background.rows)
            if (block, position) in counts:
                masker = TokenMasker(pieces, background.rows, counts[block, position])
                self._tokens.append(masker)
            self._add(block, [position], len(pieces.parts), masker)
            spans.append((self._first - len(pieces.parts), self._first))
        self.spans: Sequence[Span] = spans
        self.players = self._first
        self.columns |= {position: self.players + n for n, position in enumerate(texts)}

    def _add_columns(self, block: int, array: Array, texts: Mapping[Position, Pieces]) -> None:
        positions = [
            position for position in range(array.shape[1]) if (block, position) not in texts
        ]
        if positions:
            first = self._first
            self.columns |= {(block, position): first + n for n, position in enumerate(positions)}
            kind: type[BitMasker] | type[LookupMasker] = (
                LookupMasker if array.dtype.kind in "bO" else BitMasker
            )
            most = self.at_once * len(self.start) // len(array)
            self._add(block, positions, len(positions), kind(array[:, positions], most))

    def _add(self, block: int, positions: list[int], players: int, masker: Masker) -> None:
        cells, last = self._instances.arrays[block][:, positions], self._first + players
        self._parts.append(_Part(block, positions, self._first, last, masker, cells))
        self._first = last

    def pairs(self, masks: Array) -> tuple[Array, Array]:
        """The values of coalitions and of their complements, as `ValueFunction.pairs` has them.

        Raises InvalidRows where an instance's mix with the background has no answer.
        """
        n, wide, players = masks.shape
        instances = range(self._instances.rows)
        self.evaluations += 2 * n * len(self.start) * len(instances)
        # A row in several slots has so many more coalitions; many of a single row's are alike.
        masks = masks.reshape(-1, min(wide, self._rows), players)
        alike = self._rows == 1 and players <= MOST_ALIKE
        masks, sides, which = distinct(masks) if alike else (masks, EVERY, EVERY)
        for part in self._parts:
            part.masker.prepare(masks[:, :, part.first : part.last])
        tensors = {name: both for each in self._tokens for name, both in each.tensors().items()}
        answers = [self._answers(tensors, row) for row in instances]
        together = np.stack(answers) if len(answers) > 1 else answers[0]  # which copies nothing
        both = together.reshape(len(instances), 2, len(masks), -1)[:, sides, which]
        both = both.reshape(len(instances), 2, n, -1, self.start.shape[1])
        return both[:, 0], both[:, 1]

    def check(self, values: Array) -> None:
        """Raise InvalidRows for instances, the first dimension, with values that are not finite."""
        finite = np.isfinite(values)
        if not finite.all():
            odd = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1)).tolist()
            raise InvalidRows([Problem(self.numbers[row], None, NOT_ANSWERED) for row in odd])

    def _answers(self, tensors: Tensors, row: int) -> Array:
        blocks: list[list[tuple[list[int], Array]]] = [[] for _ in self._instances.arrays]
        for part in self._parts:
            blocks[part.block].append((part.positions, part.masker.mask(part.cells[row])))
        arrays = [side_by_side(block) for block in blocks]
        try:
            return self._evaluate(CheckedBatch(len(arrays[0]), arrays), tensors)
        except InvalidRows as error:
            raise InvalidRows([Problem(self.numbers[row], None, NOT_ANSWERED)]) from error
