"""Whole CSV files, answered by the page in pieces."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import KEY, Open, keep_screenshot, predict, serving
from tests.page.test_accessibility import violations
from tests.page.test_page import NARROW, ask, until, wait_until

pytestmark = pytest.mark.page

SHOP = ["Preis (€)", "count", "new", "色"]
DROP = """([text, name]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: "text/csv" }));
    for (const kind of ["dragover", "drop"]) {
        document.querySelector("h1").dispatchEvent(
            new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
    }
}"""


@pytest.fixture(scope="module")
def small_site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of low limits."""
    log = tmp_path_factory.mktemp("small") / "stderr"
    limits = {"ONNXLET_MAX_ROWS": "300", "ONNXLET_MAX_BODY_BYTES": "8000"}
    with serving(more_models, log, **limits) as address:
        yield address


def shop_rows(count: int) -> list[list[Any]]:
    return [[k / 4, k % 7, "true" if k % 3 else "false", "红绿蓝"[k % 3]] for k in range(count)]


def text_of(rows: Sequence[Sequence[Any]], **how: Any) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, **how).writerows(rows)
    return file.getvalue()


def answered(page: Any, content: str | bytes, name: str = "rows.csv") -> bytes:
    """The file that is saved for one that is chosen."""
    data = content.encode() if isinstance(content, str) else content
    with page.expect_download() as download:
        page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": data})
    assert download.value.suggested_filename == f"{Path(name).stem}-answers.csv"
    return Path(download.value.path()).read_bytes()


def rows_of(content: bytes, **how: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), **how))


def expected(site: str, rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    """What is appended to each row, from one request in JSON."""
    cells = [dict(zip(SHOP, [*row[:2], row[2] == "true", row[3]], strict=True)) for row in rows]
    told = ask(site, "models/shop/predict?coverage=0.9&unusual=true", {"instances": cells})
    names = ("prediction", "probabilities", "set", "unusual")
    return [
        [json.dumps(label), *map(repr, shares), "; ".join(map(json.dumps, labels or ())), *marks]
        for label, shares, labels, found in zip(*map(told.__getitem__, names), strict=True)
        for marks in [[] if found is None else ["marked"]]
    ]


def with_marks(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """What is appended, with `marked` where a row is unusual."""
    return [[*line[:4], *["marked" for why in line[4:] if why]] for line in lines]


def as_written(rows: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Numbers as floats: JavaScript and Python write some in different ways."""
    return [[float(c) if c[:1].isdigit() else c for c in row] for row in rows]


HEAD = ["prediction", "probability false", "probability true", "set", "unusual"]


def test_a_file_comes_back_with_its_answers(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    rows = shop_rows(1500)
    file = [
        ["id", *SHOP, 'a, "note"'],
        *[[k, *row, f'line 1\nline, "{k}"'] for k, row in enumerate(rows)],
    ]
    asked: list[int] = []
    page.on(
        "request",
        lambda r: asked.append(len(r.post_data_buffer.split(b"\n")) - 2) if r.post_data else None,
    )

    found = answered(page, text_of(file))
    keep_screenshot(page, "table")

    assert found.startswith(b"\xef\xbb\xbf")  # for Excel, since it is not all ASCII
    lines = rows_of(found)
    assert lines[0] == [*file[0], *HEAD]
    assert [line[:6] for line in lines] == [[str(cell) for cell in row] for row in file]
    got = with_marks([line[6:] for line in lines[1:]])
    assert as_written(got) == as_written(expected(site, rows))
    assert sum(asked) == 1500
    assert len(asked) >= 3  # in pieces
    assert page.inner_text("#whole b") == "1500 rows answered."
    assert page.inner_text("#whole .hint") == 'Not sent: id, a, "note"'


def test_twenty_thousand_rows_within_a_servers_limits(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")
    page.evaluate("state.limits = { rows: 3000, body_bytes: 60000 }")
    rows = [[5 + k % 10 / 10, 3.5, 1 + k % 50 / 10, k % 25 / 10] for k in range(20_000)]
    sizes: list[tuple[int, int]] = []
    page.on(
        "request",
        lambda r: (
            sizes.append((len(r.post_data_buffer), r.post_data_buffer.count(b"\n")))
            if r.post_data
            else None
        ),
    )

    lines = rows_of(answered(page, text_of([["x0", "x1", "x2", "x3"], *rows])))

    assert len(lines) == 20_001
    assert max(size for size, _ in sizes) <= 60_000
    assert max(count for _, count in sizes) <= 3001
    told = ask(site, "models/iris/predict", {"instances": rows[-2000:]})
    assert [line[4] for line in lines[-2000:]] == [str(label) for label in told["prediction"]]


def test_a_server_of_low_limits_is_kept_to(open_page: Open, small_site: str) -> None:
    page = open_page(small_site, "shop")
    rows = shop_rows(900)

    lines = rows_of(answered(page, text_of([SHOP, *rows])))

    assert len(lines) == 901
    got = with_marks([line[4:] for line in lines[-50:]])
    assert as_written(got) == as_written(expected(small_site, rows[-50:]))


def test_problems_are_located_by_row(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    rows = [list(map(str, row)) for row in shop_rows(600)]
    rows[2][0], rows[2][3] = "dear", "mauve"
    rows[450][1] = "many"
    rows[7] = rows[7][:3]

    lines = rows_of(answered(page, text_of([SHOP, *rows])))
    keep_screenshot(page, "table-problems")

    listed = page.eval_on_selector_all("#whole li", "all => all.map(li => li.textContent)")
    assert listed == [
        "Row 4, Preis (€): expected a number, got 'dear'",
        "Row 4, 色: 'mauve' is not one of the known categories: '红', '绿', '蓝'",
        "Row 9: expected 4 fields, got 3",
        "Row 452, count: expected a whole number, got 'many'",
    ]
    assert page.inner_text("#whole b") == "597 rows answered."
    assert page.inner_text("#whole h3") == "3 rows without an answer"
    assert lines[0][-1] == "problem"
    assert [number for number, line in enumerate(lines, 1) if line[-1]][1:] == [4, 9, 452]
    assert lines[8] == [*rows[7], "", "", "", "", "", "", "expected 4 fields, got 3"]
    assert {len(line) for line in lines} == {10}
    assert violations(page) == []


def test_what_other_programs_write_is_read(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    rows = shop_rows(30)
    commas = [[str(row[0]).replace(".", ","), *row[1:]] for row in rows]
    spaced = [f" {name}" for name in SHOP]
    told = as_written(expected(site, rows))
    for content, how in [
        (text_of([SHOP, *commas], delimiter=";").encode("utf-8-sig"), {"delimiter": ";"}),
        (f"Umsätze\n\n{text_of([SHOP, *commas], delimiter='|')}".encode(), {"delimiter": "|"}),
        (text_of([spaced, *rows[:9], spaced, *rows[9:]]).encode(), {}),
        (text_of([SHOP, *rows], delimiter="\t").encode("utf-16"), {"delimiter": "\t"}),
        (text_of([SHOP, *rows], quoting=csv.QUOTE_ALL, lineterminator="\n").encode(), {}),
        (text_of([SHOP, *rows]).replace("\r\n", "\r\n\r\n").rstrip().encode(), {}),
    ]:
        lines = [line for line in rows_of(answered(page, content), **how) if len(line) > 1]
        answers = with_marks([line[4:] for line in lines][1:])
        if '"1,5' in text_of([lines[7]]):  # and answers have decimal commas, too
            answers = [[cell.replace(",", ".") for cell in line] for line in answers]
        assert as_written(answers) == told
        assert page.query_selector("#whole .trouble") is None


def test_numbers_are_sent_without_the_unit_of_their_column(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    page.evaluate(
        "state.model.signature.inputs.find(({ name }) => name === 'Preis (€)').unit = '€'"
    )
    rows = shop_rows(20)
    priced = [[f"{row[0]:.2f}".replace(".", ",") + " €", *row[1:]] for row in rows]
    found = rows_of(answered(page, text_of([SHOP, *priced], delimiter=";")), delimiter=";")
    assert [line[:4] for line in found[1:]] == [list(map(str, row)) for row in priced]
    got = [[cell.replace(",", ".") for cell in line[4:6]] for line in found[1:]]
    assert as_written(got) == as_written([line[:2] for line in expected(site, rows)])


def test_rows_are_numbered_as_in_a_spreadsheet_and_empty_ones_are_none(
    open_page: Open, site: str
) -> None:
    page = open_page(site, "shop")
    rows = [list(map(str, row)) for row in shop_rows(6)]
    rows[4][0] = "dear"
    empty = ["", " ", "", ""]
    text = text_of([SHOP, *rows[:2], empty, *rows[2:], empty, empty], delimiter=";")

    lines = rows_of(answered(page, f"Umsätze\n\n{text}"), delimiter=";")

    assert page.inner_text("#whole b") == "5 rows answered."
    said = page.inner_text("#whole .trouble")
    assert "Row 9, Preis (€): expected a number, got 'dear'" in said
    assert "Row 3 is the header." in said
    shown = page.eval_on_selector_all(".answers td:first-child", "all => all.map(e => e.innerText)")
    assert shown == ["4", "5", "7", "8", "9", "10"]
    assert [line[:4] for line in lines if len(line) > 1][1:] == rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Preis (€),count,new,色\n,,,\n".encode(), "The file has no rows"),
        (b"x,y\n1,2\n", "No line names a column of the model"),
        ("Preis (€),count\n".encode(), "The file has no rows"),
        ("Preis (€),色\n1,红\n".encode() + b"\xff", "The file is damaged"),
        ("Preis (€);count;new;色\n1.335;2;true;红\n".encode(), "1.335 may be 1335 or 1.335"),
        (text_of([SHOP[:3], *[row[:3] for row in shop_rows(900)]]).encode(), "lacks the column 色"),
        ("Preis (€);id\n1.5;2\n".encode(), "lacks 3 columns count, new, 色"),
        (b"PK\x03\x04\xff\xfe", "Save its sheet as CSV"),
        (b"", "No line names a column of the model"),
    ],
)
def test_a_file_that_can_not_be_answered(
    open_page: Open, site: str, content: bytes, words: str
) -> None:
    page = open_page(site, "shop")
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": content})
    page.wait_for_selector("#whole .trouble")

    assert words in page.inner_text("#whole .trouble")


def test_windows_letters_are_read(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")
    content = "x0;x1;x2;x3;Größe (€)\r\n5,1;3,5;1,4;0,2;größer\r\n".encode("cp1252")
    head, row = rows_of(answered(page, content), delimiter=";")
    assert (head[4], row[4]) == ("Größe (€)", "größer")
    assert (head[5], row[5]) == ("prediction", "0")


def test_a_problem_of_a_whole_column_is_said_once(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    rows = [[row[0], f"{row[1]} pcs", *row[2:3], "mauve" if at % 2 else row[3]]
            for at, row in enumerate(shop_rows(450))]  # fmt: skip

    lines = rows_of(answered(page, text_of([SHOP, *rows])))

    listed = page.eval_on_selector_all("#whole li", "all => all.map(li => li.textContent)")
    assert listed == [
        "All 450 rows, count: expected a whole number, got '0 pcs', and others",
        "225 rows (3, 5, 7, 9, 11, …), 色: 'mauve' is not one of the known categories:"
        " '红', '绿', '蓝'",
    ]
    assert all("count: expected a whole number, got '" in line[-1] for line in lines[1:])


def test_it_is_dropped_watched_and_cancelled(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    held: list[Any] = []

    def first_only(route: Any) -> None:
        held.append(route)
        if len(held) == 1:
            route.continue_()

    page.route("**/predict*", first_only)

    page.evaluate(DROP, [text_of([SHOP, *shop_rows(5000)]), "dropped.csv"])
    page.wait_for_selector("#whole progress")
    until(page, "document.querySelector('#whole progress').value > 0")
    keep_screenshot(page, "table-progress")
    assert violations(page) == []
    page.click("#cancel")
    page.wait_for_selector("#save")

    said = page.inner_text("#whole b")
    assert said == "Cancelled: 200 of 5000 rows were sent."
    with page.expect_download() as download:
        page.click("#save")
    assert len(rows_of(Path(download.value.path()).read_bytes())) == 201


def test_leaving_the_model_ends_it(open_page: Open, site: str) -> None:
    page = open_page(site, "shop")
    held: list[Any] = []
    page.route("**/predict*", lambda route: held.append(route))
    page.set_input_files(
        "#file",
        {
            "name": "a.csv",
            "mimeType": "text/csv",
            "buffer": text_of([SHOP, *shop_rows(900)]).encode(),
        },
    )
    until(page, "document.querySelector('#whole progress') !== null")
    wait_until(page, lambda: held)

    page.click("nav a[data-name=iris]")
    page.wait_for_selector("h1:text-is('iris')")
    wait_until(page, lambda: len(held) == 2)  # what the page of iris asks by itself

    assert "/models/iris/" in held[1].request.url
    assert page.inner_text("#whole") == ""
    page.unroute("**/predict*")
    assert predict(page)


def test_a_busy_server_is_asked_again_for_less(open_page: Open, site: str) -> None:
    page = open_page(site, "shop", refused=True)
    sizes: list[int] = []

    def shed(route: Any) -> None:
        sizes.append(route.request.post_data_buffer.count(b"\n") - 1)
        if len(sizes) == 1:
            busy = {"title": "Service Unavailable", "detail": "busy"}
            route.fulfill(status=503, json=busy, headers={"Retry-After": "0"})
        else:
            route.continue_()

    page.route("**/predict*", shed)
    lines = rows_of(answered(page, text_of([SHOP, *shop_rows(200)])))

    assert len(lines) == 201
    assert sizes[:2] == [200, 100]


def test_with_a_key(open_page: Open, locked_site: str) -> None:
    page = open_page(locked_site, "shop", refused=True)
    page.fill("#key", KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#file")

    assert len(rows_of(answered(page, text_of([SHOP, *shop_rows(5)])))) == 6


def test_a_name_that_is_taken_gets_a_number(open_page: Open, site: str) -> None:
    page = open_page(site, "iris")
    rows = [["x0", "x1", "x2", "x3", "prediction"], ["5", "3", "1", "0", "mine"]]

    lines = rows_of(answered(page, text_of(rows)))

    assert lines[0][4:6] == ["prediction", "prediction_2"]
    assert lines[1][4:6] == ["mine", "0"]


def test_it_fits_a_narrow_screen(open_page: Open, site: str) -> None:
    page = open_page(site, "shop", **NARROW)
    page.set_input_files(
        "#file",
        {
            "name": "a" * 80 + ".csv",
            "mimeType": "text/csv",
            "buffer": text_of([SHOP, ["dear", *shop_rows(1)[0][1:]]]).encode(),
        },
    )
    page.wait_for_selector("#save")

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
