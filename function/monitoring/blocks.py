"""Rows wait until a block of them is counted at once, so that no figure is of one row.

That holds against whoever only reads: who sends all rows of a block but one could compute that one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

BLOCK = 20  # rows; it divides `realised.HALF`, so that no block is in two halves


class Blocks:
    """Rows that wait, by a key of theirs; there are few keys, whatever clients send.

    Blocks are cut in the order of rows, whichever come together. So the difference of two reports
    is of whole blocks, too, and rows that are counted anew after a restart are in the same ones.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Any]] = {}

    def add(self, rows: Iterable[tuple[Hashable, Any]]) -> list[Any]:
        """Add rows with their keys.

        Returns:
            The rows of the blocks that are full now, in the order in which each key's came.
        """
        for key, row in rows:
            self._waiting.setdefault(key, []).append(row)
        full: list[Any] = []
        for key, waiting in list(self._waiting.items()):
            end = len(waiting) // BLOCK * BLOCK
            full += waiting[:end]
            self._waiting[key] = waiting[end:]
            if end == len(waiting):
                del self._waiting[key]
        return full
