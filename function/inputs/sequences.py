"""The front end for sequences: a text cut into units, for a graph that reads each unit's id.

A manifest's graph input then has `ids`: `{"unit": "character", "units": ["<pad>", "a", …]}`. Rows
have as many ids as their texts have units: `onnxlet.function.models.imported_graphs` runs those of
one length together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import quoted
from onnxlet.function.inputs.columns import Refused
from onnxlet.function.inputs.feeds import each_cell
from onnxlet.function.inputs.nested import packed

CHARACTER = "character"


class IdFeed:
    """Ids of a text's units: one input tensor of the graph, of shape (rows, length).

    `at` is the block that has the text, and the column there.
    """

    def __init__(self, entry: Mapping[str, Any], at: tuple[int, int]) -> None:
        """Read a manifest's graph input.

        Args:
            entry: `name`, `columns`, and `ids`: `unit`, "character" or the regular expression of
                one; `units` in order of their ids; `special`, ids that no text has; `unknown`, the
                id of any other unit, None to refuse it; `before` and `after`, ids around a text's
                own; `nfc`, whether a text is composed first; `longest`, units of a text at most;
                `cost`, values that are computed for a row of any length, at least.
            at: the block that has the text, and the column there.
        """
        ids = entry["ids"]
        self.name, self.at, self.column = str(entry["name"]), at, str(entry["columns"][0])
        special = frozenset(ids["special"])
        self._ids = {unit: n for n, unit in enumerate(ids["units"]) if n not in special}
        self._unknown = ids["unknown"]
        self._before, self._after = list(ids["before"]), list(ids["after"])
        self._nfc, self._longest, self._cost = bool(ids["nfc"]), ids["longest"], ids["cost"]
        self._words = ids["unit"] != CHARACTER
        self._cut: Callable[[str], Sequence[str]]
        self._cut = re.compile(ids["unit"]).findall if self._words else list

    def cut(self, blocks: Sequence[Array]) -> list[Array]:
        """The blocks, with an array of ids, int64 of shape (length,), in place of each text.

        Raises InvalidRows where texts have no unit, too many, or unknown ones.
        """
        block, position = self.at
        texts = blocks[block][:, position].tolist()
        found = each_cell(texts, self.column, self.ids_of, Refused)
        ids = packed([np.array(each, np.int64) for each in found]).reshape(-1, 1)
        return [ids if number == block else each for number, each in enumerate(blocks)]

    def ids_of(self, text: str) -> list[int]:
        """The ids of one text; Refused where it has no unit, too many, or unknown ones."""
        units = self._cut(unicodedata.normalize("NFC", text) if self._nfc else text)
        what = "units" if self._words else "characters"
        if not 1 <= len(units) <= self._longest:
            raise Refused(f"expected 1 to {self._longest} {what}, got {len(units)}")
        ids = [self._ids.get(unit, self._unknown) for unit in units]
        if None in ids:
            strange = sorted({unit for unit in units if unit not in self._ids})
            shown = ", ".join(quoted(unit) for unit in strange[:5])
            raise Refused(f"expected {what} of the model's vocabulary, got {shown}")
        return [*self._before, *ids, *self._after]

    def cost(self, length: int) -> int:
        """Values that a row of so many ids has on the way: attention compares all pairs."""
        return int(max(length * length, self._cost))

    def gather(self, blocks: Sequence[Array]) -> Array:
        """The tensor, of blocks as `cut` returns them whose rows are of one length."""
        block, position = self.at
        return np.stack(blocks[block][:, position].tolist())
