"""A file of rows, here or elsewhere, packed or not, as bytes that can be read more than once.

Held-out rows are read of one whole. S3, and what speaks its protocol, is read by PyArrow: keys come
from the environment, as everywhere.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.tables.csv_notes import check_rows, grouped, notes
from onnxlet.convert.tables.json_rows import is_json, table_of
from onnxlet.convert.tables.limits import LIMITS, Limits, bounded
from onnxlet.convert.tables.units import without_units
from onnxlet.convert.tables.workbook import Taken, is_workbook, taken_from
from onnxlet.function.csv.form import CsvForm, form_of
from onnxlet.function.errors import WrongUse

ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+(://|::)", re.I)
USER_AND_QUERY = re.compile(r"(?<=://)[^/@]*@|\?.*$", re.S)  # which may hold keys
# That messages of fsspec name.
PACKAGES = re.compile(r"\b(gcsfs|adlfs|aiohttp|paramiko|smbprotocol|ocifs|requests)\b")
SHOWN_FILES = 5
MAGIC = 262  # bytes that say what a file is
PACKED: tuple[tuple[bytes, Callable[[Path, str], Any]], ...] = (
    (b"\x1f\x8b", lambda path, place: gzip.GzipFile(path)),
    (b"BZh", lambda path, place: bz2.BZ2File(path)),
    (b"\xfd7zXZ\x00", lambda path, place: lzma.LZMAFile(path)),  # noqa: SIM115 - whoever reads it closes it
    (b"\x28\xb5\x2f\xfd", lambda path, place: _zstandard(path, place)),
    (b"PK\x03\x04", lambda path, place: _only_member(path, place)),
)


class HowRead(NamedTuple):
    """What a user says of how a file is read, where it leaves that open."""

    sheet: str = ""  # of a workbook, or some of its cells; "" is its first table
    decimal: str | None = None  # "point" or "comma" before decimals; None where nobody says
    texts: tuple[str, ...] = ()  # columns of held-out rows that are text, whatever is in them

    @property
    def mark(self) -> str:
        """What stands before decimals, "" where nobody says."""
        return {"point": ".", "comma": ",", None: ""}[self.decimal]


BY_ITSELF = HowRead()


@dataclass(frozen=True)
class Opened:
    """A file of rows that lies here."""

    path: Path  # where it lies, perhaps only for now
    name: str  # as messages call it, without user names, passwords and queries
    what: str  # the rows are called in messages, such as DATA
    limits: Limits = LIMITS  # of what it unpacks to
    how: HowRead = BY_ITSELF

    @property
    def parquet(self) -> bool:
        """Whether it begins as Parquet does."""
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1"

    @cached_property
    def _taken(self) -> Taken | None:
        """What is taken of a workbook; None of any other file."""
        with self.path.open("rb") as file:
            if not is_workbook(file):
                return None
            file.seek(0)
            place = f"{self.what}: '{self.name}'"
            return taken_from(file.read(), self.how.sheet, place, self.limits)

    def open(self) -> IO[bytes]:
        """Its bytes, unpacked, of a workbook as plain CSV; who reads too many gets WrongUse, too.

        So does who opens what is packed in a way that nothing here unpacks.
        """
        if self._taken:
            return io.BytesIO(self._taken.content)
        with self.path.open("rb") as file:
            start = file.read(MAGIC)
        place, size = f"{self.what}: '{self.name}'", self.path.stat().st_size
        unpack = next((unpack for magic, unpack in PACKED if start.startswith(magic)), None)
        file = self.path.open("rb") if unpack is None else unpack(self.path, place)
        return bounded(file, size, f"{place}: ", self.limits)

    @property
    def json(self) -> bool:
        """Whether it begins as rows in JSON do."""
        with self.open() as file:
            return is_json(file.read(MAGIC))

    @cached_property  # it reads all of the file
    def form(self) -> CsvForm:
        """How it is written, where it is CSV; WrongUse where it is no text, or no table."""
        place = f"{self.what}: '{self.name}'"
        form = without_units(form_of(self.open, place, self.limits, sys.maxsize))
        if form.is_plain:
            check_rows(self.open, place, self.limits)
        return form

    @property
    def sheet_row(self) -> int | None:
        """The row of its sheet, from 1, that a workbook is read from; None of any other file."""
        return self._taken.top if self._taken else None

    def notes(self) -> list[str]:
        """What a user has to know of how it is read."""
        taken = [f"of '{self.name}' is read {self._taken.where}"] if self._taken else []
        return [*taken, *notes(self.form, self.name)]

    @property
    def decimal(self) -> str:
        """What stands before decimals where commas part no fields, in words; else ''."""
        said = self.form.decimal if len(self.form.decimal) == 1 else self.how.mark
        separated = self.form.layout.separator != ","
        return {"": "", ".": "point", ",": "comma"}[said] if separated else ""

    def grouped(self) -> list[str]:
        """Columns in which points part thousands; WrongUse where nothing says whether they do."""
        try:
            return grouped(self.form, self.how.mark)
        except WrongUse as error:
            raise WrongUse(f"{self.what}: '{self.name}', {error.message}", error.hint) from None

    def plain(self) -> IO[bytes]:
        """It as plain CSV; whoever reads what is no CSV, or too long a row, gets WrongUse."""
        return self.form.plain(self.open, self.limits, f"{self.what}: '{self.name}'")


@contextmanager
def opened(
    source: str, what: str, limits: Limits = LIMITS, how: HowRead = BY_ITSELF
) -> Iterator[Opened]:
    """A file, fetched for as long as it is read if it is a URL of S3 or of what fsspec knows.

    Raises:
        WrongUse: there is no such file, or it may not be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        if ELSEWHERE.match(source):
            path, name = Path(folder) / "rows", USER_AND_QUERY.sub("", source)
            _fetch(source, path, what, name)
        else:
            path, name = Path(source), Path(source).name
            _check_is_there(path, what)
        yield Opened(path, name, what, limits, how)


def searched_in(path: Path) -> str:
    """Where a file that is not there was looked for; empty where its path says so."""
    return "" if path.is_absolute() else f"Looked for in {Path.cwd()}."


def no_file(path: Path, what: str) -> WrongUse:
    """What to say of a path that is no file."""
    if not path.is_dir():
        return WrongUse(f"{what}: there is no file '{path}'", searched_in(path))
    inside = sorted(e.name for e in path.iterdir() if {".csv", ".parquet"} & set(e.suffixes))
    found = f"There are {', '.join(inside[:SHOWN_FILES])} in it." if inside else ""
    return WrongUse(f"{what}: '{path}' is a folder", f"Name one file of rows. {found}".rstrip())


def no_rights(path: str | Path, what: str) -> WrongUse:
    """What to say of a file that the user may not read."""
    return WrongUse(
        f"{what}: '{path}' may not be read: permission denied",
        f"Run as a user who may, or let others read it: chmod a+r '{path}'.",
    )


def _check_is_there(path: Path, what: str) -> None:
    try:
        if not path.is_file():
            raise no_file(path, what)
        with path.open("rb") as file:
            start = file.read(MAGIC)
    except PermissionError as error:
        raise no_rights(path, what) from error
    except OSError as error:  # a name that is too long, a disk that fails
        raise WrongUse(f"{what}: '{path}' can't be read: {shortened(error)}") from error
    if not start:
        raise WrongUse(f"{what}: '{path}' is empty", "Expected a header and a row a line.")


def _fetch(source: str, path: Path, what: str, shown: str) -> None:
    try:
        with _elsewhere(source) as file, path.open("wb") as here:
            shutil.copyfileobj(file, here, 1 << 22)
    except ImportError as error:
        named = PACKAGES.findall(str(error))
        raise WrongUse(
            f"{what}: '{shown}' needs a package that is not installed: {shortened(error)}",
            f"pip install {' '.join(dict.fromkeys(named)) or 'what the message names'}",
        ) from error
    except FileNotFoundError as error:
        raise WrongUse(
            f"{what}: there is no file '{shown}'", "Is the bucket or folder spelt so?"
        ) from error
    except PermissionError as error:
        raise WrongUse(
            f"{what}: '{shown}' may not be read: permission denied",
            "Are the keys of an account that may read it in the environment?",
        ) from error
    except WrongUse:
        raise
    except Exception as error:  # each file system has errors of its own
        raise WrongUse(
            f"{what}: '{shown}' can't be read: {type(error).__name__}: "
            f"{shortened(error).replace(source, shown)}",
            "Expected a path, s3://bucket/rows.csv or a URL that fsspec reads.",
        ) from error
    if not path.stat().st_size:
        raise WrongUse(f"{what}: '{shown}' is empty", "Expected a header and a row a line.")


def _elsewhere(source: str) -> Any:
    """A file elsewhere: S3 by PyArrow, whatever else there is by fsspec."""
    if source.lower().startswith("s3://"):
        path = source.partition("://")[2].partition("?")[0].rpartition("@")[2]
        return file_system(path).open_input_stream(path)
    import fsspec

    return fsspec.open(source, "rb")


def _only_member(path: Path, place: str) -> IO[bytes]:
    """The one file in a zip; it is open as long as it is read, and its archive with it."""
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if not n.startswith("__MACOSX") and n[-1] != "/"]
        if len(names) != 1:
            raise WrongUse(
                f"{place} holds {len(names)} files, expected one", "Unpack it, and name one."
            )
        return archive.open(names[0])


def _zstandard(path: Path, place: str) -> IO[bytes]:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore] # 3.14
    except ImportError:
        try:
            import zstandard as zstd  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError as error:
            raise WrongUse(
                f"{place} is packed by Zstandard, which nothing here unpacks",
                "pip install zstandard, or unpack it: zstd -d FILE.",
            ) from error
    unpacked: IO[bytes] = zstd.open(path)
    return unpacked


SECONDS = 10.0  # that a connection may take to begin
TRIES = 5


def file_system(path: str) -> Any:
    """The file system in which a bucket is; the path is for messages.

    `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names another server than Amazon's; keys and the
    region are where the AWS SDK looks for them.

    Raises:
        WrongUse: the settings can't be used.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    try:
        return _opened(endpoint, region)
    except (OSError, ValueError) as error:
        raise WrongUse(
            f"s3://{path}: S3 can't be reached: {shortened(error)}",
            "Are AWS_ENDPOINT_URL and AWS_REGION what they should be?",
        ) from error


@cache  # to start AWS's SDK takes half a second
def _opened(endpoint: str, region: str) -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    options: dict[str, Any] = {"region": region} if region else {}
    if endpoint:
        scheme, _, host = endpoint.rstrip("/").rpartition("://")
        options |= {"scheme": scheme or "https", "endpoint_override": host}
        options.setdefault("region", "us-east-1")
    retry = AwsStandardS3RetryStrategy(max_attempts=TRIES)
    return S3FileSystem(connect_timeout=SECONDS, retry_strategy=retry, **options)


def json_frame(opened: Opened) -> pd.DataFrame:
    """The rows of a file of JSON, in pandas' types."""
    with opened.open() as file:
        content = file.read()
    table = table_of(content, f"{opened.what}: '{opened.name}'", opened.limits)
    frame: pd.DataFrame = table.to_pandas()
    return frame
