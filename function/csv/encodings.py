"""Which encoding a file of text is in, by its bytes; and whether it is text at all."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO

from onnxlet.function.errors import WrongUse

BLOCK = 1 << 20  # bytes that are read together
WINDOWS = "cp1252"
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
NO_TABLE = (
    (b"%PDF", "a PDF"), (b"\x89PNG", "an image"), (b"\xff\xd8\xff", "an image"),
    (b"\xd0\xcf\x11\xe0", "a workbook of an old Excel"), (b"SQLite format", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"), (b"\x80\x04", "a pickle"), (b"\x93NUMPY", "an array of NumPy"),
    (b"ARROW1", "a Feather file"), (b"ORC", "an ORC file"), (b"Obj\x01", "an Avro file"),
)  # fmt: skip
NOT_A_TABLE = "Save it as CSV with a header, or as Parquet."
BROKEN = "\ufffd"  # what is decoded of bytes that are not UTF-8
WHOLE = "Is the file whole? Write it once more."
SAVE_AS_UTF8 = (
    "pandas.read_csv(FILE, encoding='…').to_csv('rows.csv', index=False) writes it in UTF-8."
)


def blocks_of(opened: Callable[[], IO[bytes]], most: int) -> Iterator[bytes]:
    """A file's bytes, no more than so many of them, or a block more."""
    with opened() as file:
        while most > 0 and (block := file.read(BLOCK)):
            most -= len(block)
            yield block


def encoding_of(opened: Callable[[], IO[bytes]], place: str, most: int) -> str:
    """The encoding that a file's bytes are of, the most strict first; read in blocks."""
    start = next(blocks_of(opened, 1), b"")[:4096]
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    for magic, kind in NO_TABLE:
        if start.startswith(magic):
            raise WrongUse(f"{place} is {kind}, and no table", NOT_A_TABLE)
    if b"\0" in start:
        raise WrongUse(f"{place} is no text, and no Parquet: no table", NOT_A_TABLE)
    for encoding in ("utf-8", WINDOWS):
        if _decodes(opened, encoding, most):
            _check_is_none_of_utf8(opened, encoding, place, most)
            return encoding
    raise WrongUse(f"{place} is neither UTF-8 nor UTF-16 nor {WINDOWS}", SAVE_AS_UTF8)


def _check_is_none_of_utf8(
    opened: Callable[[], IO[bytes]], encoding: str, place: str, most: int
) -> None:
    """Refuse what is UTF-8 but for a few bytes: in another encoding its other letters are wrong."""
    found, before = Counter[bool](), 0
    for block in blocks_of(opened, most if encoding == WINDOWS else 0):
        texts = block.decode(errors="replace")
        found.update(letter == BROKEN for letter in texts if not letter.isascii())
        if found[False] > found[True] > 0:
            byte = before + len(texts[: texts.index(BROKEN)].encode())
            raise WrongUse(f"{place}: byte {byte} is not UTF-8, and what is around it is", WHOLE)
        before += len(block)


def _decodes(opened: Callable[[], IO[bytes]], encoding: str, most: int) -> bool:
    decoder, size = codecs.getincrementaldecoder(encoding)(), 0
    try:
        for block in blocks_of(opened, most):
            decoder.decode(block)
            size += len(block)
        if size < most:
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
