"""Units and descriptions are read by any spelling of a name, or refused with every fault."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest

from onnxlet.convert.describe import Described, Descriptions, read_descriptions
from onnxlet.function.errors import WrongUse

COLUMNS = ["Area", "Größe", "a.b", "price"]
WHOLE = """\
target = { unit = "EUR", text = "What the house was sold for" }
[columns]
"Area" = { unit = "m²", text = "Living area above ground" }
"""


def read(folder: Path, content: str, unit: str | None = None) -> Descriptions:
    path = folder / "words.toml"
    path.write_text(content, "utf-8")
    return read_descriptions(path, unit, COLUMNS, "price")


def refusal(folder: Path, content: str, unit: str | None = None) -> str:
    with pytest.raises(WrongUse) as refused:
        read(folder, content, unit)
    return f"{refused.value.message}\n{refused.value.hint}".replace(str(folder), "")


def test_a_file_describes_target_and_columns(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == Descriptions(
        Described("EUR", "What the house was sold for"),
        {"Area": Described("m²", "Living area above ground")},
    )
    assert read(tmp_path, "") == Descriptions()
    assert read(tmp_path, "[columns]\nArea = {}\n") == Descriptions()


def test_a_unit_by_itself_is_the_targets(tmp_path: Path) -> None:
    assert read_descriptions(None, " EUR ", [], "") == Descriptions(Described("EUR"))
    assert read_descriptions(None, None, [], "") == Descriptions()
    assert read(tmp_path, 'target = { text = "Sold for" }', "EUR").target == Described(
        "EUR", "Sold for"
    )


def test_names_are_compared_as_those_of_requests(tmp_path: Path) -> None:
    spelled = normalize("NFD", "Größe")
    found = read(
        tmp_path, f'[columns]\n" {spelled} " = {{ unit = "cm" }}\n"a.b" = {{ unit = "%" }}'
    )
    assert found.columns == {"Größe": Described("cm"), "a.b": Described("%")}


def test_texts_are_lines(tmp_path: Path) -> None:
    text = '[columns]\nArea = { unit = "10\u00a0€", text = """two\n  lines""" }'
    assert read(tmp_path, text).columns["Area"] == Described("10 €", "two lines")


def test_every_fault_is_reported_with_its_line(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        f"""\
tarket = 1
[columns]
Aera = {{ unit = "m²" }}
"price" = {{ unit = "EUR" }}
a.b = {{ unit = "x" }}
'Größe' = {{ unit = "{"m" * 21}", text = 3 }}
Area = {{ text = "\\u202egnp" }}
""",
    )
    assert (
        said
        == """\
--describe '/words.toml': 8 things are wrong:
  line 1: expected 'target' and 'columns', got 'tarket' beside them
  line 3: there is no column 'Aera'. Is it 'Area'?
  line 4: 'price' is the target, no column. Write 'target = …' above [columns] instead of \
'price = …' below it.
  line 5: 'a': expected unit and text, got 'b'. There are 'unit', 'text'. A name with a dot is \
put in quotes.
  line 5: there is no column 'a'. There are 'Area', 'Größe', 'a.b'.
  line 6: 'Größe': expected as its unit a line of 1 to 20 characters, got 21
  line 6: 'Größe': expected as its text a line of 1 to 300 characters in quotes, got 3
  line 7: 'Area': expected as its text a line of 1 to 300 characters, got some that don't print: \
'\\u202egnp'
"""
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("columns = 3", "line 1: expected a table [columns], got 3"),
        ('target = "EUR"', "line 1: 'target': expected a table, got 'EUR'"),
        ('[columns]\nArea = "m²"', "line 2: 'Area': expected a table, got 'm²'"),
        ('[columns]\n"Area" = {}\n" Area" = {}', "line 3: ' Area' and 'Area' are the one column"),
        ('[columns]\nArea = { unit = "" }', "got 0"),
        ("[columns\n", "line 1, column 9: no TOML: Expected ']'"),
    ],
)
def test_what_is_no_description_is_refused(tmp_path: Path, content: str, message: str) -> None:
    assert message in refusal(tmp_path, content)


def test_two_units_of_the_target_are_refused(tmp_path: Path) -> None:
    assert "line 1: the unit is 'EUR', and --unit is 'USD'" in refusal(tmp_path, WHOLE, "USD")
    with pytest.raises(WrongUse, match="--unit: expected as its unit a line of 1 to 20 characters"):
        read_descriptions(None, "x" * 21, [], "price")
    with pytest.raises(WrongUse, match="--describe: there is no file"):
        read_descriptions(tmp_path / "none.toml", None, [], "price")


def test_a_line_that_is_not_certain_is_left_out(tmp_path: Path) -> None:
    text = '[columns]\nArea = { text = """\nAera = 3""" }\nAera = {}\n'
    assert "words.toml': there is no column 'Aera'" in refusal(tmp_path, text)
