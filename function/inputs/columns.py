"""A model's columns, outputs and tensors, as clients see them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

ColumnType = Literal["float64", "float32", "int64", "bool", "string"]
NUMERIC: tuple[ColumnType, ...] = ("float64", "float32", "int64")  # of these types
OutputType = ColumnType | Literal["boxes"]

# Characters in a cell, at most: anybody may send text, and cutting it into tokens takes time. A
# column whose text is costly to cut has a lower limit in the manifest.
LONGEST_TEXT = 100_000
LONGEST_NAME = 200  # characters of a column's, for its forms in Unicode to be one
FORMATS = "PNG, JPEG, WebP, GIF, BMP or TIFF"  # of images
LONGEST_IMAGE = 2**31  # likewise: what a body may have, and ONNXLET_MAX_PIXELS, are its limits


def normalized(name: str) -> str:
    """A column's name as it is compared: without spaces around it, and in NFC if it is short.

    Sorting marks takes the square of their number, and anybody may send a name.
    """
    name = name.strip()
    if name.isascii() or len(name) > LONGEST_NAME:
        return name
    from unicodedata import normalize  # only ever needed here, and slow to import

    return normalize("NFC", name)


class Column(NamedTuple):
    """One input column, by the name that clients use."""

    name: str  # as in the DataFrame; `x0`, `x1`, … for a model fitted on a bare array
    type: ColumnType
    nullable: bool = False  # scikit-learn answers with the value missing
    required: bool = True  # False where the model drops the column
    absent: bool = False  # an object by column name may leave it out, where its value is missing
    infinite: bool = False  # scikit-learn answers with an infinity
    minimum: float | None = None  # the least number that is answered; None where any finite one is
    maximum: float | None = None  # the greatest number that is answered, likewise
    # The only values that scikit-learn doesn't raise for; None where it takes any.
    categories: tuple[Any, ...] | None = None
    # Characters in a text, at most; entries of a nested list where its size varies.
    longest: int = LONGEST_TEXT
    # The text is a date, and no other text is answered; a manifest's type is then `date`.
    date: bool = False
    format: str | None = None  # of such a date, for `strptime`; None for ISO 8601
    # The time zone in which a date counts. It then has an offset from UTC (Z, +02:00), else it has
    # none.
    zone: str | None = None
    # The text is an encoded image in base64; a body or a form brings its bytes instead. A
    # manifest's type is then `image`.
    image: bool = False
    # The sizes of a nested list, where a cell is one; a name for each that varies. Sizes of one
    # name are equal in a row. () where a cell is one value.
    cell: tuple[int | str, ...] = ()
    unit: str | None = None  # of its numbers, as whoever built the model says
    description: str | None = None  # likewise, what it is

    def takes(self, text: str) -> bool:
        """Whether a text is a date of the column's form."""
        from onnxlet.function.inputs.dates import read  # most models have no dates

        return read(text, self.format, self.zone is not None) is not None


class Output(NamedTuple):
    """One output: `prediction`, `probabilities`, `score`; `shape` starts with -1, the rows."""

    name: str
    type: OutputType
    shape: tuple[int, ...]
    unit: str | None = None  # as whoever built the model says
    description: str | None = None  # likewise


class Input(NamedTuple):
    """One tensor that clients may send: a column, or all columns of a bare array."""

    name: str  # the column's own, or the array's
    type: ColumnType  # of its values
    shape: tuple[int, ...]  # starts with -1, the rows
    columns: tuple[str, ...]  # their names, in the tensor's order
    required: bool = True  # False where the model drops the column
    nested: bool = False  # a row is a nested list; of its sizes -1 is any


class Refused(ValueError):
    """Why a cell is not a value of its column, in words for a client.

    Tensors put it into a row instead of a cell that contradicts their declared datatype.
    """


class Encoded(str):
    """Base64 of bytes: a column of text takes them as UTF-8, one of images as they are."""
