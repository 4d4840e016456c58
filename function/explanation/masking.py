"""Masking: rows that have some cells of an instance, and all others of a background row.

They are made with few passes over memory, since a small model answers a row in the time that it
takes to write one. LookupMasker of eight bytes are chosen by their bits, which goes for NaN, too:
`b ^ ((b ^ x) & mask)` is x where the mask's bits are ones, and b elsewhere; `x ^ ((b ^ x) & mask)`
is the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING, Protocol

import numpy as np

from onnxlet.function.arrays import Array

if TYPE_CHECKING:
    from onnxlet.function.explanation.counting import Counted
    from onnxlet.function.explanation.texts import Pieces

EMPTY_TEXT = ""  # the background of all text


class Masker(Protocol):
    """Masks the cells of some columns of one block, for `n` coalitions at a time."""

    def prepare(self, masks: Array) -> None:
        """Take up coalitions, bool of shape (n, slots or 1, players of these columns)."""

    def mask(self, cells: Array) -> Array:
        """The instance's cells inside of the coalitions, and behind these rows outside of them.

        Of the instance there is one cell for each column. Returns an array of shape (2 * n * slots,
        columns), good until the next call.
        """


class BitMasker:
    """Masks cells of eight bytes, of a background of shape (slots, columns).

    At most `at_once` coalitions are prepared together.
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
        np.bitwise_and(outside, self._background ^ instance, out=outside)
        np.bitwise_xor(outside, self._background, out=inside)
        np.bitwise_xor(outside, instance, out=outside)
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

    def __init__(self, pieces: Pieces, slots: int, feeds: Sequence[Counted]) -> None:
        super().__init__(pieces, slots)
        self._feeds = feeds

    def mask(self, cells: Array) -> Array:
        """A column of nothing, which nobody reads."""
        return np.broadcast_to(np.array("", dtype=object), (2 * len(self._masks), 1))

    def tensors(self) -> dict[str, dict[str, Array]]:
        """The model's feeds, by their names, of the coalitions that were prepared."""
        masks = np.concatenate([self._masks, ~self._masks])
        return {feed.name: feed.tensors(masks) for feed in self._feeds}


def side_by_side(parts: Sequence[tuple[list[int], Array]]) -> Array:
    """Columns of one block side by side, each part with the positions where it belongs."""
    if len(parts) == 1:
        return parts[0][1]
    rows, width = len(parts[0][1]), sum(len(positions) for positions, _ in parts)
    block = np.empty((rows, width), dtype=parts[0][1].dtype)
    for positions, columns in parts:
        block[:, positions] = columns
    return block
