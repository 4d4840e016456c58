"""A model's signature: its columns in blocks, and the tensors that ONNX Runtime is fed."""

from __future__ import annotations

import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from importlib import import_module
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import EXACT, LARGEST_INTEGER, Array
from onnxlet.function.inputs.columns import LONGEST_IMAGE, Column, Input, Output, normalized
from onnxlet.function.inputs.feeds import feed_of, run_of
from onnxlet.function.json_text import as_keys
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.inputs.front_end import StepFeed
    from onnxlet.function.inputs.image_feed import ImageFeed
    from onnxlet.function.inputs.sentences import SentenceFeed
    from onnxlet.function.inputs.sequences import IdFeed
    from onnxlet.function.inputs.text import TokenFeed

# Rows of text that are answered together: more rows have more different words, each a column.
TEXTS_AT_ONCE = 32
COUNTS_AT_ONCE = 32 * 2**20  # bytes of counts, if each row had every word of the vocabulary
DOCUMENTS_AT_ONCE = 8  # likewise, where each may have as many tokens as characters
PIXELS_AT_ONCE = 32 * 2**20  # bytes of images that are answered together, as float64
# The members of a graph input that say what becomes of a column first, and by what of which module.
FRONT_ENDS = {
    "tokens": ("text", "TokenFeed"),
    "steps": ("front_end", "StepFeed"),
    "image": ("image_feed", "ImageFeed"),
    "sentences": ("sentences", "SentenceFeed"),
    "ids": ("sequences", "IdFeed"),
}


# Larger whole numbers may have been rounded to a float64: they are looked at before they are.
LARGEST_SAFE_INTEGER = float(EXACT - 1)


class CellsOf:
    """Takes a block's cells out of rows, where each has a key: a name, or a position.

    `of` gives an iterable of each row's cells, in the block's order.
    """

    def __init__(self, keys: Sequence[Any], every: bool = False) -> None:
        self.keys = keys
        self.of: Callable[[Sequence[Any]], Iterable[Sequence[Any]]]
        if every:
            self.of = iter
        elif len(keys) == 1:
            self.of = partial(map, lambda row, only=keys[0]: (row[only],))
        else:
            self.of = partial(map, itemgetter(*keys))


class Block:
    """Columns of one type that are held in one array of shape (rows, columns)."""

    def __init__(
        self, columns: Sequence[Column], dtype: str, positions: Sequence[int], width: int
    ) -> None:
        # Its only column has nested lists as cells: its array holds an array for each row.
        self.nested = bool(columns[0].cell)
        numbers = columns[0].type in ("float64", "float32") and not self.nested
        # Makes the bytes of one row's numbers; None where the values are not floats.
        self.pack = struct.Struct(f"{len(columns)}d").pack if numbers else None
        self.columns = tuple(columns)  # in signature order
        self.type = columns[0].type  # of the values, as clients see it
        self.dtype = dtype  # of the array; a nullable int64 column is held as float64
        self.by_name = CellsOf(as_keys([column.name for column in columns]))
        self.by_position = CellsOf(positions, every=len(columns) == width)
        # For each column, the least and the greatest number that is surely answered, and whether
        # a missing one is.
        self.bounds = [(*_bounds(column, dtype), column.nullable) for column in columns]
        # No number between these lies beyond a bound of any column.
        self.lowest = max(low for low, _, _ in self.bounds)
        self.highest = min(high for _, high, _ in self.bounds)
        largest = sys.float_info.max
        # Every finite number is surely answered.
        self.unbounded = self.lowest <= -largest and self.highest >= largest
        self.longest = min(column.longest for column in columns)  # characters, in every column
        self.dated = [(position, c) for position, c in enumerate(columns) if c.date]
        self.closed = [
            (position, frozenset(column.categories))
            for position, column in enumerate(columns)
            if column.categories is not None
        ]

    @cached_property
    def limits(self) -> tuple[Array, ...]:
        """The bounds as arrays, each for all columns: least and greatest number, missing or not."""
        return tuple(map(np.array, zip(*self.bounds, strict=True)))


class Signature:
    """What goes into a model and what comes out."""

    def __init__(
        self,
        columns: Sequence[Column],
        outputs: Sequence[Output],
        graph_inputs: Sequence[Mapping[str, Any]],
        rows_at_once: int | None = None,
        whole: str | None = None,
        inputs: Sequence[Input] = (),
        ignored: Iterable[str] = (),
    ) -> None:
        self.columns = tuple(columns)  # in the order that instances given as lists have
        self.outputs = tuple(outputs)  # what the graph answers, in its own order
        self.whole = (
            whole  # name of the one tensor that has all columns; None where each is its own
        )
        # Names of columns that its rows had at build, and that it is not given: rows by column name
        # may have them, as they may have columns that the model drops.
        self.ignored = frozenset(ignored)
        self.names = self.ignored.union(column.name for column in columns)
        self.all_required = all(column.required for column in columns)
        position = {column.name: index for index, column in enumerate(columns)}
        holds = {name: _held_as(tensor) for tensor in graph_inputs for name in tensor["columns"]}
        kinds: dict[tuple[str, ...], list[Column]] = {}
        for column in columns:
            if column.required:
                held = holds.get(column.name) or _held_unfed(column)
                own = (column.name,) if column.cell else ()
                kinds.setdefault((column.type, held, *own), []).append(column)
        self.blocks = [  # the required columns by type, as validation reads them
            Block(members, dtype, [position[c.name] for c in members], len(columns))
            for (_, dtype, *_), members in kinds.items()
        ]
        # By position, the column of each of these that has nested lists as cells.
        self.nested = {n: block.columns[0] for n, block in enumerate(self.blocks) if block.nested}
        self.inputs = tuple(inputs) or tuple(  # tensors that clients may send instead of rows
            Input(c.name, c.type, (-1, 1), (c.name,), c.required) for c in columns
        )
        # For each block, the inputs that its columns are in, in its order, and where there.
        self.sources = [_sources(block, self.inputs) for block in self.blocks]
        # By the name of a column that is not dropped, its block and the position there.
        self.positions = at = {
            column.name: (number, position)
            for number, block in enumerate(self.blocks)
            for position, column in enumerate(block.columns)
        }

        def fed(member: str) -> list[Any]:
            """The feeds of the graph inputs that have a member."""
            return [
                _feed(member, each, *[at[name] for name in each["columns"]])
                for each in graph_inputs
                if member in each
            ]

        widths = [len(block.columns) for block in self.blocks]
        self.feeds = [  # the tensors for `InferenceSession.run` that hold columns
            feed_of(
                tensor,
                [at[name] for name in tensor["columns"]],
                self.blocks[at[tensor["columns"][0]][0]].nested,
                widths,
            )
            for tensor in graph_inputs
            if tensor.keys().isdisjoint(FRONT_ENDS)
        ]
        self.step_feeds: list[StepFeed] = fed("steps")  # what the front end makes of a column
        self.token_feeds: list[TokenFeed] = fed("tokens")  # counts of what stands in text
        self.id_feed: IdFeed | None = next(iter(fed("ids")), None)  # ids of a text's units
        self.image_feeds: list[ImageFeed] = fed("image")  # the pixels of images
        # What the sentences of documents count.
        self.sentence_feeds: list[SentenceFeed] = fed("sentences")
        noted = set[tuple[int, int]]()
        noting: list[TokenFeed | ImageFeed] = [*self.token_feeds, *self.image_feeds]
        for feed in noting:
            feed.noted = feed.noted and feed.at not in noted
            noted |= {feed.at} if feed.noted else set()
        wide = sum(8 * feed.width for feed in self.token_feeds)  # bytes of a row, as float64
        shown = sum(feed.width for feed in self.image_feeds)
        counts = max(1, COUNTS_AT_ONCE // wide) if wide else None
        pixels = max(1, PIXELS_AT_ONCE // shown) if shown else None
        # Rows that are run together where tokens are counted already; None is any number.
        self.counted_at_once = _least(rows_at_once, counts, pixels)
        texts = TEXTS_AT_ONCE if wide else None
        documents = DOCUMENTS_AT_ONCE if self.sentence_feeds else None
        self.rows_at_once = _least(self.counted_at_once, texts, documents)  # else

    @cached_property
    def _by_normalized(self) -> dict[str, str | None]:
        """The columns' names by what they are compared by; None for what two have in common."""
        known: dict[str, str | None] = {}
        for name in self.names:
            known[normalized(name)] = None if normalized(name) in known else name
        return known

    def as_known(self, names: Sequence[str]) -> list[str]:
        """Names, as columns have them where only spaces around, or the form in Unicode, differ."""
        known = self._by_normalized
        found = [n if n in self.names else known.get(normalized(n)) or n for n in names]
        counts = Counter(found)
        return [new if counts[new] == 1 else old for old, new in zip(names, found, strict=True)]

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Signature:
        """Read `signature` and `graph` of a manifest."""
        columns: list[Column] = []
        inputs = []
        for tensor in manifest["signature"]["inputs"]:
            members = tensor.get("columns", [tensor])
            own = [_column({"type": tensor["type"], **member}) for member in members]
            columns += own
            inputs.append(_input(tensor, own))
        outputs = [
            Output(**{key: entry[key] for key in Output._fields if key in entry})._replace(
                shape=tuple(entry["shape"])
            )
            for entry in manifest["signature"]["outputs"]
        ]
        graph = manifest["graph"]
        tensors = manifest["signature"]["inputs"]
        whole = tensors[0]["name"] if len(tensors) == 1 and "columns" in tensors[0] else None
        ignored = manifest["signature"].get("ignored", [])  # of versions before there is none
        if not isinstance(ignored, list) or not all(isinstance(name, str) for name in ignored):
            raise ValueError("'ignored': expected a list of names")
        at_once = graph.get("rows_at_once")
        return cls(columns, outputs, graph["inputs"], at_once, whole, inputs, ignored)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit), default=None)


def _column(entry: Mapping[str, Any]) -> Column:
    known = {key: entry[key] for key in Column._fields if key in entry}
    if known.get("categories") is not None:
        known["categories"] = tuple(known["categories"])
    known["cell"] = tuple(known.get("cell", ()))
    if known["type"] == "date":
        known |= {"type": "string", "date": True}
    if known["type"] == "image":
        known |= {"type": "string", "image": True, "longest": LONGEST_IMAGE}
    return Column(**known)


def _input(tensor: Mapping[str, Any], columns: Sequence[Column]) -> Input:
    names = tuple(column.name for column in columns)
    required = any(column.required for column in columns)
    shape = tuple(tensor.get("shape", (-1, len(names))))
    return Input(tensor["name"], columns[0].type, shape, names, required, bool(columns[0].cell))


def _sources(block: Block, inputs: Sequence[Input]) -> tuple[tuple[str, slice | list[int]], ...]:
    """Which columns of which inputs make the block, one input after another."""
    at = {
        name: (each.name, position) for each in inputs for position, name in enumerate(each.columns)
    }
    found = [at[column.name] for column in block.columns]
    return tuple(
        (name, run_of([position for _, position in members]))
        for name, members in groupby(found, key=lambda where: where[0])
    )


def _bounds(column: Column, dtype: str) -> tuple[float, float]:
    """Bounds between which a value of a block's dtype is surely answered."""
    if column.type == "int64":
        any_number: float = LARGEST_SAFE_INTEGER if dtype == "float64" else LARGEST_INTEGER
    else:
        any_number = float("inf") if column.infinite else sys.float_info.max
    low = -any_number if column.minimum is None else max(column.minimum, -any_number)
    high = any_number if column.maximum is None else min(column.maximum, any_number)
    return low, high


def _held_as(tensor: Mapping[str, Any]) -> str:
    """The dtype of a tensor's cells until they are checked: 64 bits, where the graph has fewer."""
    if not tensor.keys().isdisjoint(("tokens", "image", "sentences", "ids")):
        return "string"
    dtype = str(tensor.get("from", tensor["dtype"]))
    if dtype.startswith("float"):
        return "float64"
    return "int64" if "int" in dtype else dtype


def _held_unfed(column: Column) -> str:
    """The dtype of a column that no tensor has, although scikit-learn wants it among its own."""
    if column.type == "int64":
        return "float64" if column.nullable else "int64"
    return "string" if column.type == "string" else "float64"


def _feed(member: str, tensor: Mapping[str, Any], *at: tuple[int, int]) -> Any:
    """What a front end makes a tensor of; most models start without its module."""
    module, name = FRONT_ENDS[member]
    return getattr(import_module(f"onnxlet.function.inputs.{module}"), name)(tensor, *at)
