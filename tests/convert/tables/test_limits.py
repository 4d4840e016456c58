"""Files of rows that were made to harm: refused before memory is taken, in every reader."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from onnxlet.convert.tables.csv_parts import cuts, header_of
from onnxlet.convert.tables.limits import Limits, bounded
from onnxlet.convert.tables.parquet_file import parquet_rows
from onnxlet.convert.tables.rows_file import Opened
from onnxlet.convert.train.table import read_table
from onnxlet.function.errors import MalformedRequest, OnnxletError, WrongUse
from tests.conftest import ROOT

SMALL = Limits(surely_fine=1 << 19, densest=20, row=1 << 16, header=1 << 14, columns=300)
LINES = b"a,b\n" + b"1,2\n" * (1 << 18)


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", data)
    return file.getvalue()


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zip": zipped,
}  # fmt: skip


def written(folder: Path, data: bytes) -> str:
    path = folder / "rows.csv"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("kind", PACKS)
def test_what_unpacks_out_of_proportion(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path, PACKS[kind](LINES))
    with pytest.raises(WrongUse, match=r"unpacked it has [0-9,]+ bytes or more, and ") as error:
        read_table(source, 0, limits=SMALL)
    assert error.value.hint.startswith("Unpack it by yourself")
    assert len(read_table(source, 0).frame) == 1 << 18
    # As dense as tables are.
    numbers = np.random.default_rng(0).integers(0, 1000, 150_000)
    usual = b"a\n" + b"\n".join(str(each).encode() for each in numbers.tolist())
    assert read_table(written(tmp_path, PACKS[kind](usual)), 0, limits=SMALL).frame.size


ROWS: dict[str, tuple[bytes, str]] = {
    "a header without end": (b"h" * 70_000, "expected rows of at most 65,536 bytes"),
    "a long header": (b"h," * 9_000 + b"\n1,2\n", "expected a header of at most 16,384"),
    "a line without end": (b"a,b\n1,2\n" + b"x" * 70_000, "expected rows of at most"),
    "a line of empty fields": (b"a,b\n1,2\n" + b"," * 70_000, "expected rows of at most"),
    "a quote that is never closed": (b'a,b\n1,"' + b"x,y\n" * 70_000, "line 2: expected rows of"),
    "a quote behind an odd one": (b'a,b\n1"2,3\n1,"' + b"x\n" * 70_000, "line 3: expected rows"),
    "many fields in quotes": (b"a\n" + b'"\n",' * 70_000, "line 2: expected rows of at most"),
    "a quote behind a signature": (b'\xef\xbb\xbf"a\n' + b"x\n" * 70_000, "line 1: expected rows"),
    "UTF-16": ("\ufeffa,b\n".encode("utf-16-le") + b"x\0" * 70_000, "expected rows of at most"),
    "too many columns": (b",".join(b"c%d" % n for n in range(301)) + b"\n", "300 columns, got 301"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_and_headers_that_are_too_long(tmp_path: Path, kind: str) -> None:
    data, why = ROWS[kind]
    for packed in (data, gzip.compress(data)):
        opened = Opened(Path(written(tmp_path, packed)), "rows.csv", "--data", SMALL)
        with pytest.raises(WrongUse, match=why), opened.plain() as file:
            file.read()


@pytest.mark.parametrize(
    "kind",
    [kind for kind in ROWS if not any(each in kind for each in ("column", "UTF", "signature"))],
)
@pytest.mark.parametrize("most", [1 << 12, 1 << 15])
def test_score_cuts_no_row_that_is_too_long(kind: str, most: int) -> None:
    data, _ = ROWS[kind]

    def parts() -> int:
        _, below = header_of(io.BytesIO(data), SMALL)
        return len(list(cuts(lambda: io.BytesIO(data), below, most, SMALL)))

    with pytest.raises(
        MalformedRequest, match=r"expected rows of at most [0-9,]+ bytes, got a long"
    ):
        parts()


def test_rows_that_are_long_and_whole_are_read(tmp_path: Path) -> None:
    field = b'"' + b"x\n" * 30_000 + b'"'
    data = b"a,b\n" + b"".join(b"%d,%s\n" % (n, field) for n in range(20))
    table = read_table(written(tmp_path, data), 0, limits=SMALL._replace(surely_fine=1 << 24))
    assert table.frame.shape == (20, 2)
    _, below = header_of(io.BytesIO(data), SMALL)
    found = list(cuts(lambda: io.BytesIO(data), below, 1 << 12, SMALL))
    assert len(found) == 20


def test_what_is_unpacked_for_score_has_the_same_limits() -> None:
    packed = gzip.compress(LINES)
    with pytest.raises(WrongUse, match="unpacked it has"):
        bounded(gzip.GzipFile(fileobj=io.BytesIO(packed)), len(packed), "", SMALL).read()


def repeated(path: Path, length: int, rows: int) -> Path:
    """One text in all rows, which stands in the file once."""
    text = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array(["x" * length]))
    table = pa.table({"text": text, "n": np.arange(rows)})
    parquet.write_table(table, path, compression="zstd", store_schema=False)
    return path


def test_texts_of_parquet_take_no_more_memory_than_they_may(tmp_path: Path) -> None:
    path = repeated(tmp_path / "rows.parquet", 3_000, 10_000)
    limits = SMALL._replace(held=1 << 24)
    with parquet_rows(path, path.stat().st_size, "", limits) as file:
        texts = [batch.column(0) for batch in file.batches(1_000, columns=["text"])]
        assert {text.type for text in texts} == {pa.string()}
        assert sum(map(len, texts)) == 10_000
        with pytest.raises(WrongUse, match="rows together, got 3,000 and 30,000,000"):
            list(file.batches(10_000, columns=["text"]))
    large = repeated(tmp_path / "large.parquet", 70_000, 3)
    with (
        parquet_rows(large, large.stat().st_size, "", SMALL) as file,
        pytest.raises(WrongUse, match="expected rows with at most 65,536 bytes of text"),
    ):
        list(file.batches(10))


def test_parquet_that_unpacks_out_of_proportion(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    zeros = pa.table({"a": np.zeros(1 << 20), "b": np.zeros(1 << 20)})
    parquet.write_table(zeros, path, compression="zstd", use_dictionary=False)
    with pytest.raises(WrongUse, match="unpacked it has"):
        read_table(str(path), 0, limits=SMALL)
    wide = pd.DataFrame(np.zeros((2, 301)), columns=[f"c{n}" for n in range(301)])
    wide.to_parquet(path)
    with pytest.raises(WrongUse, match="expected at most 300 columns, got 301"):
        read_table(str(path), 0, limits=SMALL)


BOMBS = """
import resource, sys
from onnxlet.convert.tables.limits import Limits
from onnxlet.convert.train.table import read_table
from onnxlet.function.errors import WrongUse
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for source in sys.argv[1:]:
    try:
        read_table(source, 0, limits=Limits(1 << 24, row=1 << 22, held=1 << 26))
    except WrongUse as error:
        print(str(error).splitlines()[0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.long
def test_a_process_takes_little_memory_for_what_unpacks_to_much(tmp_path: Path) -> None:
    def block(file: io.BufferedIOBase) -> None:
        for _ in range(160):
            file.write(b"1" * (1 << 20))

    with gzip.open(tmp_path / "a.csv.gz", "wb", compresslevel=1) as packed:
        block(packed)
    with (
        zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("rows.csv", "w") as member,
    ):
        block(member)  # type: ignore[arg-type]
    repeated(tmp_path / "c.parquet", 500_000, 10_000)  # 5 GB

    files = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, *files], cwd=ROOT, capture_output=True, text=True, check=True
    )

    *refused, kilobytes = done.stdout.splitlines()
    assert len(refused) == 3, done.stdout
    assert int(kilobytes) < 150_000


@pytest.mark.long
def test_a_name_of_megabytes_is_not_printed_whole(tmp_path: Path) -> None:
    name = "n" * 1_000_000
    source = written(tmp_path, f"{name},{name}\n1,2\n".encode())
    with pytest.raises(OnnxletError) as error:
        read_table(source, 0)
    assert "stands in its header more than once" in str(error.value)
    assert len(str(error.value)) < 5_000
    assert len(WrongUse(f"column '{name}': missing", name).message) < 2_000
