"""Columns of images: found, read once at the size that pipelines see, and as learners have them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from onnxlet.convert.estimators.bounded_svd import BoundedSVD
from onnxlet.convert.estimators.images import Images
from onnxlet.convert.problems import Problem, counted, refuse
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.image_columns import ELSEWHERE, Outside, located
from onnxlet.convert.reference.images import TRIED, content_of, is_image, is_missing, is_readable
from onnxlet.convert.train.kinds.kind import COMPONENTS, Kind, Part, Wanted, rounded
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.images import MODES, Unreadable, opened, picture_size, pixels

KIND = "image"  # as users and reports name it
RESIZE = "bilinear"
FORM = re.compile(r"([1-9]\d{0,2})x([1-9]\d{0,2}) (L|RGB)")
FORM_HINT = "For example 'image 64x64 RGB': height, width, and L for grey or RGB for color."
LONGER = 32  # pixels of the longer side that are chosen, where images are larger
LEAST = 8  # pixels of a side that are left of larger ones, however many rows there are
CELLS = 20_000_000  # numbers of all rows: 160 MB for a fit that has all of them
GREY = ("1", "L", "LA", "I", "I;16", "I;16B")  # Pillow's modes without color
COLORS = {"L": "grey", "RGB": "color"}
ENOUGH = 0.5  # of the first texts of a column, that have to be images
HINT = (
    "Leave such rows out, mend their files, or leave the column out: --column NAME=out. "
    f"A relative path is one from the folder of DATA. {ELSEWHERE}"
)
MOST_COMPONENTS = 60  # of images, for all but trees
WEIGHTS = 90_000  # numbers that make components of an image: 8 bytes each of the model
SPREAD = 0.25  # about the standard deviation of pixels from 0 to 1


class ImageForm(NamedTuple):
    """What pipelines see of an image: its size in pixels, and grey or color."""

    height: int
    width: int
    mode: str

    def __str__(self) -> str:
        return f"{self.height}x{self.width} {self.mode}"

    @property
    def numbers(self) -> int:
        """Of an image."""
        return self.height * self.width * MODES[self.mode]


class ImageColumn(NamedTuple):
    """A column of images."""

    form: ImageForm  # what pipelines see
    why: str  # it is one, with counts of formats, sizes and modes
    # uint8 of shape (height, width), or (height, width, 3) in color, by a hash, which the table has
    pixels: Mapping[str, Array]

    def of(self, hashes: pd.Series[Any]) -> pd.Series[Any]:
        """The pixels of rows, as the cells of a column."""
        return _each(hashes, self.pixels.__getitem__)


def form_named(text: str | None) -> ImageForm:
    """A form as `str` writes it: "28x28 L"; ValueError for what is none."""
    found = FORM.fullmatch(text or "")
    if found is None:
        raise ValueError(f"expected a size and a mode such as '64x64 RGB', got '{text}'")
    return ImageForm(int(found[1]), int(found[2]), found[3])


def image_columns(
    frame: pd.DataFrame, root: Path | None, said: Mapping[str, str], without: Sequence[str]
) -> list[str]:
    """Names of the columns that hold images, or are said to, whatever their cells are.

    Texts name files below `root`, or none where it is None; `without` are no columns of images.
    """
    names = [name for name in map(str, frame.columns) if name not in without]
    kinds = {name: kind.partition(" ")[0] for name, kind in said.items()}
    return [
        name
        for name in names
        if kinds.get(name) == KIND or (name not in kinds and _holds_images(frame[name], root))
    ]


def _holds_images(column: pd.Series[Any], root: Path | None) -> bool:
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return False
    some = [cell for cell in column.head(10 * TRIED).tolist() if not is_missing(cell)][:TRIED]
    read = [_is_one(cell, located(cell, root)) for cell in some]
    return bool(read) and sum(read) >= ENOUGH * len(read)


def _is_one(cell: Any, found: Any) -> bool:
    """Whether a cell is an image; one that may not be opened, by its name."""
    if isinstance(found, Outside):
        return found.pictured
    return is_readable(found) if isinstance(cell, str) else is_image(found)


def located_cells(column: pd.Series[Any], root: Path | None) -> pd.Series[Any]:
    """A column whose texts are files below a folder, what they encode, or why they are neither."""
    return _each(column, lambda cell: located(cell, root))


def _each(column: pd.Series[Any], made: Callable[[Any], Any]) -> pd.Series[Any]:
    """A column of what is made of each cell, which may be an array."""
    cells = np.empty(len(column), dtype=object)
    for row, cell in enumerate(column.tolist()):
        cells[row] = made(cell)
    return pd.Series(cells, index=column.index, name=column.name, dtype=object)


def read_images(
    frame: pd.DataFrame,  # of images only, in any form that `content_of` takes; none is missing
    places: Sequence[str],  # of the rows, as messages call them
    said: Mapping[str, str],  # kinds by column, of which those of images may have a form
    rows: int,  # that fits have, copies included: the more, the smaller the images
    report: Report,  # gets a line for each column
) -> tuple[pd.DataFrame, dict[str, ImageColumn]]:
    """The columns of a table with a hash of its pixels for each image, and what they hold.

    Each is read once. WrongUse says which rows of which columns can't be read, and why.
    """
    problems: list[Problem] = []
    made, found = {}, {}
    for name in frame.columns:
        report(f"reading {len(frame):,} images of '{name}'")
        _, _, form = said.get(name, "").partition(" ")
        cells, seen = _read(frame[name].tolist(), form, rows)
        made[name] = [None if isinstance(cell, str) else _hash(cell) for cell in cells]
        problems += [
            Problem(f"{place}, column '{name}': {cell}", HINT)
            for place, cell in zip(places, cells, strict=True)
            if isinstance(cell, str)
        ]
        if seen is not None:
            found[name] = seen
    refuse(problems, "DATA")
    return pd.DataFrame(made, index=frame.index, dtype=object), found


def _read(cells: Sequence[Any], form: str, rows: int) -> tuple[list[Any], ImageColumn | None]:
    """The pixels of cells, or text that says why there are none; and what the column holds."""
    heads = [_tried(_head, cell) for cell in cells]
    known = [head for head in heads if isinstance(head, _Head)]
    if not known:
        return heads, None
    grey = all(head.mode in GREY for head in known)
    chosen = form_named(form) if form else chosen_form(known, grey, rows)
    made = [
        _pixels(cell, chosen) if isinstance(head, _Head) else head
        for cell, head in zip(cells, heads, strict=True)
    ]
    arrays = [array for array in made if not isinstance(array, str)]
    if not form and chosen.mode == "RGB" and all(map(_is_grey, arrays)):
        chosen = chosen_form(known, True, rows)
        made = [
            array if isinstance(array, str) else _pixels(cell, chosen)
            for cell, array in zip(cells, made, strict=True)
        ]
    kept = {_hash(array): array for array in made if not isinstance(array, str)}
    return made, ImageColumn(chosen, _why(known, chosen), kept)


def _hash(array: Array) -> str:
    return hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()


class _Head(NamedTuple):
    """What the head of an image's file says."""

    width: int
    height: int
    format: str
    mode: str


def _head(cell: Any) -> _Head:
    content = content_of(cell)
    with opened(content) as image:
        kind, mode = str(image.format), str(image.mode)
    return _Head(*picture_size(content), kind, mode)


def _pixels(cell: Any, form: ImageForm) -> Any:
    def made(cell: Any) -> Array:
        array = pixels(content_of(cell), form.height, form.width, form.mode, RESIZE)
        return array[:, :, 0].copy() if form.mode == "L" else array

    return _tried(made, cell)


def _tried(read: Callable[[Any], Any], cell: Any) -> Any:
    """What is read of a cell; text that says why nothing is."""
    try:
        return read(cell)
    except Unreadable as error:
        return str(error)


def _is_grey(array: Array) -> bool:
    return bool((array == array[:, :, :1]).all())


def chosen_form(heads: Sequence[Any], grey: bool, rows: int) -> ImageForm:
    """The size that pipelines see: the median's proportions, at most `LONGER` pixels a side.

    All rows that a fit may have are no more than `CELLS` numbers.
    """
    mode = "L" if grey else "RGB"
    width, height = np.median([(head.width, head.height) for head in heads], axis=0)
    most = CELLS / (max(rows, 1) * MODES[mode])
    scale = min(1.0, LONGER / max(width, height), float(np.sqrt(most / (width * height))))

    def side(pixels: float) -> int:
        return int(min(max(round(pixels * scale), LEAST), max(round(pixels), 1)))

    return ImageForm(side(height), side(width), mode)


def _why(heads: Sequence[_Head], form: ImageForm) -> str:
    """Counts of formats, sizes and modes, and what is made of them."""
    formats = Counter(head.format for head in heads).most_common()
    listed = ", ".join(f"{count:,} {name}" for name, count in formats)
    modes = " and ".join(sorted({head.mode for head in heads}))
    said = f"{listed}; {_sizes(heads)}, mode {modes}"
    return f"{said}; seen at {form.width}x{form.height}, in {COLORS[form.mode]}"


def _sizes(heads: Sequence[_Head]) -> str:
    sizes = sorted({(head.width, head.height) for head in heads}, key=lambda s: (s[0] * s[1], s))
    ends = [f"{width}x{height}" for width, height in (sizes[0], sizes[-1])]
    return ends[0] if len(sizes) == 1 else f"{ends[0]} to {ends[1]}"


def wrong_forms(said: Mapping[str, str]) -> Iterator[Problem]:
    """Kinds of images whose form is none."""
    for name, text in said.items():
        kind, _, form = text.partition(" ")
        if kind == KIND and form and not FORM.fullmatch(form):
            got = f"--columns: '{name}': expected 'image' or its size and mode, got '{text}'"
            yield Problem(got, FORM_HINT)


def rows_with_images(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Array, list[str]]:
    """Which rows have an image in each of some columns, bool (rows,), and what to say of it."""
    known: Array = np.ones(len(frame), dtype=bool)
    notes = list[str]()
    for name in names:
        has = np.array([not is_missing(cell) for cell in frame[name].tolist()], dtype=bool)
        if not has.any():
            raise WrongUse(f"--columns: '{name}': no row has an image", "Leave it out: 'out'.")
        if without := int((~has).sum()):
            verb = "has" if without == 1 else "have"
            notes.append(
                f"{counted(without, 'row')} of {len(frame):,} {verb} no image in '{name}': left "
                "out, and such a row is refused by the model"
            )
        known &= has
    return known, notes


class ImageKind(Kind):
    """Images of one size: which columns hold them is found out before all others are looked at."""

    name = KIND
    form_said = 'images their size and mode, L or RGB: "image 32x32 RGB"'
    is_faint = True
    is_looked_up = False

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Their principal components."""
        return [_components(one, wanted.seed, MOST_COMPONENTS) for one in columns]

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """A few of their principal components."""
        return [_components(one, wanted.seed, COMPONENTS, rounded) for one in columns]

    def width(self, column: TableColumn) -> int:
        """Of its components."""
        return components_of(column, MOST_COMPONENTS)

    def variance(self, column: TableColumn) -> float:
        """Of its pixels."""
        return SPREAD**2 * form_named(column.format).numbers


IMAGE = ImageKind()


def components_of(column: TableColumn, most: int) -> int:
    """How many components the pixels of a column become."""
    numbers = form_named(column.format).numbers
    return max(1, min(most, WEIGHTS // numbers, numbers - 1))


def _components(
    column: TableColumn, seed: int, most: int, last: Callable[[], Any] | None = None
) -> Part:
    """Principal components of pixels from 0 to 1: a decomposition of what is centred."""
    steps = [
        Images(*form_named(column.format), RESIZE),
        FunctionTransformer(from_0_to_1),
        StandardScaler(with_std=False),
        BoundedSVD(components_of(column, most), random_state=seed),
        *([last()] if last else []),
    ]
    return (f"image {column.name}", make_pipeline(*steps), [column.name])


def from_0_to_1(pixels: Array) -> Array:
    """Pixels that were from 0 to 255."""
    return pixels / 255.0
