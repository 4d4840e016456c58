"""What a file of rows may unpack to, and how long a row may be: known before memory is taken."""

from __future__ import annotations

import io
from typing import IO, Any, NamedTuple

from onnxlet.function.csv.lines import QUOTES
from onnxlet.function.errors import WrongUse

BLOCK = 1 << 20
BY_YOURSELF = "Unpack it by yourself, and name what comes of it; or give a part of its rows."


class Limits(NamedTuple):
    """Of a file of rows."""

    surely_fine: int = 1 << 28  # bytes that any file may unpack to
    densest: int = 50  # times the file's own size that it may unpack to beyond that
    row: int = 1 << 26  # bytes of a row, and so of a cell
    header: int = 1 << 24  # bytes of all names
    columns: int = 100_000  # that there may be
    held: int = 1 << 30  # bytes of cells that any table may take, of those that are kept
    gaps: int = 1 << 24  # cells that are made though none stands in the file

    def are_exceeded(self, size: int, packed: int) -> bool:
        """So many bytes, unpacked, are out of all proportion to those of a file: packed to harm."""
        return size > max(self.surely_fine, self.densest * packed)

    def check_unpacked(self, size: int, packed: int, place: str) -> None:
        """Raise WrongUse for what was packed to harm: it unpacks to `size` bytes, or has so far.

        The message begins with a place, such as "DATA: 'rows.csv.gz': ".
        """
        if self.are_exceeded(size, packed):
            raise WrongUse(
                f"{place}unpacked it has {size:,} bytes or more, and {packed:,} packed: expected "
                f"at most {self.densest} times as many",
                BY_YOURSELF,
            )

    def check_columns(self, count: int, place: str) -> None:
        """Raise WrongUse for a table of too many columns."""
        if count > self.columns:
            raise WrongUse(f"{place}expected at most {self.columns:,} columns, got {count:,}")

    def check_gaps(self, count: int, place: str) -> None:
        """Raise WrongUse where so many cells would be made that do not stand in the file."""
        if count > self.gaps:
            raise WrongUse(
                f"{place}expected at most {self.gaps:,} cells without a value, got {count:,}",
                "Give each row the same keys, or give a part of its rows.",
            )

    def too_long(self, where: str) -> WrongUse:
        """What to say of a row."""
        return WrongUse(f"{where}expected rows of at most {self.row:,} bytes, got a longer", QUOTES)


LIMITS = Limits()


class Bounded(io.RawIOBase):
    """A file's bytes as they are unpacked, with the unpacked size and each line's length limited.

    It has so many bytes packed.
    """

    def __init__(self, file: Any, packed: int, place: str, limits: Limits = LIMITS) -> None:
        self._file, self._packed, self._place, self._limits = file, packed, place, limits
        self._size = self._line = 0
        # What there is of a file that is cut off comes before the complaint.
        self._read = getattr(file, "read1", file.read)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes; WrongUse where there are too many of them, or of a line."""
        data = self._read(min(len(buffer), BLOCK))
        self._size += len(data)
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line = self._line + len(data) if end < 0 else len(data) - end - 1
        self._limits.check_unpacked(self._size, self._packed, self._place)
        if self._line > self._limits.row:
            raise self._limits.too_long(self._place)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()


def bounded(file: Any, packed: int, place: str, limits: Limits = LIMITS) -> IO[bytes]:
    """A file as `Bounded` has it, to be read in parts of any size."""
    return io.BufferedReader(Bounded(file, packed, place, limits), BLOCK)
