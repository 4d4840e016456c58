"""Files of CSV as programs and people write them: each value that is read is the one written."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle, product
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from onnxlet.convert.tables.csv_notes import is_headerless
from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.convert.tables.limits import LIMITS
from onnxlet.function.csv.form import CsvForm, _comes_again, form_of
from onnxlet.function.csv.layout import Layout, Quoting, decimal_in
from tests.function.csv.known import FLAT, HEADER, ROWS, Known

FILES = sorted(Path(__file__).with_name("files").iterdir())
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")
ENDS = ("\n", "\r\n", "\r")
COMMA = {"decimal": ","}
NUMBERS = (1, 2)  # positions of the columns that hold them


def text_of(known: Known, decimal: str = ".", **form: Any) -> str:
    written = io.StringIO()
    rows = ([str(c).replace(".", decimal) if isinstance(c, float) else c for c in r] for r in known)
    csv.writer(written, **{"lineterminator": "\n"} | form).writerows(rows)
    return written.getvalue()


def by_python() -> Iterator[tuple[str, bytes]]:
    ends = cycle(ENDS)
    for separator, encoding, quoting, decimal in product(",;\t|", ENCODINGS, (0, 1), ".,"):
        form = {"delimiter": separator, "quoting": quoting, "lineterminator": next(ends)}
        name = f"csv-{separator!r}-{encoding}-{('minimal', 'all')[quoting]}-{decimal}"
        # Where lines end in CR, Python's writer leaves a field with LF without quotes.
        known = ROWS if quoting or form["lineterminator"] != "\r" else FLAT
        yield name, text_of(known, decimal, **form).encode(encoding)


def by_hand() -> Iterator[tuple[str, bytes]]:
    semicolons = text_of(ROWS, ",", delimiter=";")
    commas, bars = text_of(ROWS), text_of(FLAT, delimiter="|")
    for end in ENDS:
        yield f"sep-line-{end!r}", f"sep=;{end}{semicolons}".encode("cp1252")
        yield f"title-{end!r}", f"Umsätze 2024{end}{end}{commas}".encode()
        yield f"comments-{end!r}", f"# made by hand, 2024{end}# a;b{end}{semicolons}".encode()
    yield "sep-line-and-mark", b"\xef\xbb\xbfsep=;\r\n" + semicolons.encode()
    yield "comments-of-commas", b"# a, b, c\n" * 5 + bars.encode()
    titled = f"Umsätze;;;;;\n;;;;;\nStand: heute;;;;;\n{semicolons}"
    yield "titles-by-a-spreadsheet", titled.encode("cp1252")
    yield "titles", f"Umsätze\nStand: 1.1.2024\n{semicolons}".encode()
    yield "tabs-with-title", f"Umsätze\n\n{text_of(ROWS, delimiter=chr(9))}".encode("utf-16")
    yield "blank-lines-above", b"\n\n" + commas.encode()
    yield "blank-lines-between", commas.replace("ja\n", "ja\n\n").encode()
    yield "blank-lines-below", semicolons.encode() + b"\n\n"
    for name, text in (("commas", commas), ("semicolons", semicolons), ("bars", bars)):
        header, _, rows = text.partition("\n")
        yield f"header-again-{name}", f"{header}\n{rows}{header}\n".encode()
        yield f"header-before-each-{name}", f"{text}{text}".encode()
        yield (
            f"trailing-{name}",
            text.replace("ein\n", "ein" + header[4] + "\n")
            .replace("ja\n", "ja" + header[4] + "\n")
            .encode(),
        )
        yield f"cut-off-{name}", text.rstrip("\n").encode()
    spaced = text_of(FLAT, quoting=1).replace('","', '", "').replace('",', '", ').replace("  ", " ")
    yield "spaces-behind-commas", spaced.encode()
    yield "escaped", text_of(ROWS, doublequote=False, escapechar="\\", quoting=1).encode()
    many = [HEADER, *(row for _ in range(300) for row in ROWS[1:])]
    yield "many-rows", text_of(many, ",", delimiter=";").encode("cp1252")
    counted = [[*r, *(f"{n},5" if at else str(n) for n in range(500))] for at, r in enumerate(ROWS)]
    yield "wide", text_of(counted, ",", delimiter=";").encode()
    for separator in "^~:":
        yield f"rare-{separator}", text_of(ROWS, delimiter=separator).encode()


def by_pandas() -> Iterator[tuple[str, bytes]]:
    frame = pd.DataFrame([list(row) for row in ROWS[1:]], columns=list(HEADER))
    forms: list[dict[str, Any]] = [
        {}, {"sep": ";", **COMMA}, {"sep": "\t"}, {"sep": "|", "quoting": csv.QUOTE_ALL},
        {"sep": ";", "encoding": "cp1252"}, {"sep": "\t", "encoding": "utf-16"},
        {"encoding": "utf-8-sig", **COMMA}, {"doublequote": False, "escapechar": "\\"},
    ]  # fmt: skip
    for number, form in enumerate(forms):
        written = io.BytesIO()
        frame.to_csv(written, index=False, **form)
        yield f"pandas-{number}", written.getvalue()


def by_duckdb(folder: Path) -> Iterator[tuple[str, bytes]]:
    frame = pd.DataFrame([list(row) for row in ROWS[1:]], columns=list(HEADER))
    for number, form in enumerate(
        ("", ", DELIM ';'", ", DELIM '\t'", ", DELIM '|', FORCE_QUOTE *")
    ):
        path = folder / f"{number}.csv"
        with duckdb.connect() as database:
            database.register("known", frame)
            database.execute(f"COPY known TO '{path}' (HEADER{form})")
        yield f"duckdb-{number}", path.read_bytes()


MADE = [*by_python(), *by_hand(), *by_pandas()]
EVERY = [*((path.stem, path.read_bytes()) for path in FILES), *MADE]


def read(content: bytes) -> tuple[CsvForm, list[list[str]]]:
    def opened() -> io.BytesIO:
        return io.BytesIO(content)

    form = form_of(opened, "DATA", LIMITS)
    with form.plain(opened, LIMITS) as file:
        text = file.read().decode("utf-8-sig")
    return form, [row for row in csv.reader(io.StringIO(text, newline="")) if any(row)]


def check(content: bytes) -> None:
    form, (names, *rows) = read(content)
    assert names == list(form.names)
    assert not is_headerless(form.layout)
    assert set(HEADER) <= set(names)
    decimal = form.decimal or "."
    places = [names.index(name) for name in HEADER]
    assert rows
    assert len(rows) % (len(ROWS) - 1) == 0
    for number, row in enumerate(rows):
        cells = [_one_line(row[place]) for place in places]
        numbers = {at: float(cells[at].replace(decimal, ".")) for at in NUMBERS}
        found = [numbers.get(at, cell) for at, cell in enumerate(cells)]
        assert found in [list(known[1 + number % (len(ROWS) - 1)]) for known in (ROWS, FLAT)]


def _one_line(cell: Any) -> Any:
    """Line ends within a field are those of whoever wrote the file."""
    return cell.replace("\r\n", "\n").replace("\r", "\n") if isinstance(cell, str) else cell


@pytest.mark.parametrize("content", [pytest.param(data, id=name) for name, data in EVERY])
def test_every_value_is_the_one_that_was_written(content: bytes) -> None:
    check(content)


def test_what_duckdb_writes(tmp_path: Path) -> None:
    for _, content in by_duckdb(tmp_path):
        check(content)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("skipped", ["", "# of 2024\n"])
def test_a_row_is_not_taken_for_a_header_in_silence(separator: str, skipped: str) -> None:
    rows = text_of(ROWS[1:], delimiter=separator)
    assert is_headerless(read((skipped + rows).encode())[0].layout)
    words = "red;yes\nblue;no\nred;no\nblue;yes\nred;yes\n".replace(";", separator)
    assert is_headerless(read(words.encode())[0].layout)
    years = "Region;2022;2023\nN;1;2\nS;3;4\n".replace(";", separator)
    assert not is_headerless(read(years.encode())[0].layout)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_rows_of_another_length_stay_as_they_are(separator: str) -> None:
    rows = "a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11,12\n1,2,3\n".replace(",", separator)
    form, found = read(rows.encode())
    assert form.layout.separator == separator
    assert list(map(len, found)) == [3, 3, 2, 3, 4, 3]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_without_a_value_are_none(separator: str) -> None:
    for empty in (",", " , ", '"",""'):
        lines = f"a,b\n1,2\n{empty}\n,3\n{empty}\n{empty}\n".replace(",", separator)
        assert read(lines.encode())[1] == [["a", "b"], ["1", "2"], ["", "3"]], empty


def test_each_row_stays_in_its_line() -> None:
    content = '# one\n\na;"b\nc"\r\n1;"x\r\ny"\n\n\na;"b\nc"\n2;z'

    def opened() -> io.BytesIO:
        return io.BytesIO(content.encode())

    with form_of(opened, "DATA", LIMITS).plain(opened, LIMITS) as file:
        lines = file.read().decode()
    assert lines == '\n\na,"b\nc"\n1,"x\r\ny"\n\n\n\n\n2,z\n'
    assert lines.count("\n") == content.count("\n") + 1


@pytest.mark.parametrize("path", [path for path in FILES if path.name.startswith("r-csv2")])
def test_held_out_rows_are_numbers_and_texts(path: Path) -> None:
    frame = read_table_file(path)
    assert frame["Umsatz, netto"].tolist() == [row[1] for row in ROWS[1:]]
    assert frame["y"].tolist() == [row[5] for row in ROWS[1:]]


def test_held_out_numbers_as_people_write_them(tmp_path: Path) -> None:
    content = "a;b;c\n1.335,50 €;x;12.05.2024\n-2,5 €;1,5;13.05.2024\n;y;14.05.2024\n"
    (tmp_path / "rows.csv").write_text(content)
    frame = read_table_file(tmp_path / "rows.csv")
    assert frame["a"].tolist()[:2] == [1335.5, -2.5]
    assert frame["b"].tolist() == ["x", "1,5", "y"]
    assert frame["c"].tolist() == ["12.05.2024", "13.05.2024", "14.05.2024"]


def test_a_backslash_at_the_end_of_a_path_escapes_nothing() -> None:
    rows = [["path", "n"], *([f"C:\\data {n}\\", str(n)] for n in range(9))]
    for separator in ",;":
        content = text_of(rows, delimiter=separator, quoting=csv.QUOTE_ALL)
        assert read(content.encode())[1] == rows


def test_spaces_before_texts_stay_where_quotes_stand_in_texts() -> None:
    rows = [["a", "b"], ['says, "hi"', " x"], ["y", " z"]]
    assert read(text_of(rows).encode())[1] == rows


def test_there_are_enough_files() -> None:
    assert len(FILES) >= 40
    assert len(EVERY) >= 150


@pytest.mark.parametrize(
    ("fields", "decimal"),
    [(["2,38 %"], ","), (["$1,234.50"], "."), (["(250,5) €"], ","), (["1.335 €"], "")],
)
def test_decimals_are_seen_beside_signs(fields: list[str], decimal: str) -> None:
    assert decimal_in(fields) == decimal


@pytest.mark.parametrize("odd", ["(5,5)", "5,50 €"])
def test_decimals_are_those_of_columns_of_numbers(odd: str) -> None:
    streets = ["Am Markt", "Hauptweg", odd, "?", ""] * 3
    rows = "".join(f"{street};1.335\n" for street in streets)
    assert read(f"street;n\n{rows}".encode())[0].decimal == ""
    gaps = "".join(f"{cell};1.335\n" for cell in ["?", odd, "", "-"] * 3)
    assert read(f"fee;n\n{gaps}".encode())[0].decimal == ","


def test_long_runs_of_spaces_are_looked_at_in_time_that_grows_with_them() -> None:
    for line in (" " * 200_000 + "x", '"' + " " * 200_000 + '" "'):
        content = f"a b c\n1 2 3\n4 5 6\n{line}\n".encode()
        layout = Layout(" ", Quoting(), 0, ("a", "b", "c"), ())
        started = time.process_time()
        found = _comes_again(partial(io.BytesIO, content), "utf-8", layout, ["a b c\n"], 1 << 26)
        assert time.process_time() - started < 5  # the square of that would take minutes
        assert found is line.startswith('"')
