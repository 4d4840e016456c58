"""docs/gallery.md: a row, a section and a picture for each example, a source for its data."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from onnxlet.convert.examples.__main__ import main, make, names
from onnxlet.function.errors import WrongUse
from tests.conftest import EXAMPLES, ROOT, quiet
from tests.edge.service.test_serve import CLEAN
from tests.gallery.document import PICTURES, TEXT, sections
from tests.gallery.test_gallery import MOST_BYTES, NEAR_ZERO, OFF
from tests.project.test_train_doc import table

LONGEST = 75  # lines of an example, which people read and copy
DATA = sorted(path.name for path in (EXAMPLES / "data").iterdir() if path.suffix != ".md")


def test_each_example_has_a_section_and_a_row() -> None:
    found = sections()
    assert sorted(found) == names()
    rows = table(TEXT, "application")
    titles = [section.title for section in found.values()]
    assert [re.findall(r"\[(.*)\]", row[0]) for row in rows] == [[title] for title in titles]
    for name, section in found.items():
        assert section.scores, name
        assert section.text.count("\nData: ") == 1, name


def test_the_pictures_are_those_that_are_shown_and_small() -> None:
    shown = re.findall(r"^!\[.+\]\(images/gallery/(\w+)\.png\)$", TEXT, re.MULTILINE)
    assert sorted(shown) == names()
    assert sorted(path.stem for path in PICTURES.iterdir()) == names()
    for path in PICTURES.iterdir():
        assert path.stat().st_size <= MOST_BYTES, path
        with Image.open(path) as picture:
            assert picture.format == "PNG"


def test_it_begins_with_a_picture_of_each_that_leads_to_its_section() -> None:
    begin, _, _ = TEXT.partition("\n</table>\n")
    assert begin.startswith('# The gallery\n\n<table class="pictures">\n')
    picture = r'<img src="images/gallery/(\w+)\.png" alt="" width="240">'
    cells = re.findall(rf'<td><a href="#([\w-]+)">{picture}<br>(.+)</a></td>', begin)
    found = sections()
    assert [(name, title) for _, name, title in cells] == [
        (name, section.title) for name, section in found.items()
    ]
    links = re.findall(r"^\| \[.*\]\(#([\w-]+)\)", TEXT, re.MULTILINE)  # those that MkDocs checks
    assert [anchor for anchor, _, _ in cells] == links


def test_the_allowance_is_the_one_of_the_tests() -> None:
    least = NEAR_ZERO / OFF
    assert (
        f"allows {OFF:.0%} of a score ({NEAR_ZERO} of one below {least})".replace("2%", "2 %")
        in TEXT
    )


@pytest.mark.parametrize("file", DATA)
def test_the_source_of_each_file_is_written_down(file: str) -> None:
    sources = (EXAMPLES / "data" / "SOURCES.md").read_text()
    assert [row[0] for row in table(sources, "file")].count(f"`{file}`") == 1
    assert file in (ROOT / "NOTICE").read_text()


@pytest.mark.parametrize("name", names())
def test_an_example_is_short_and_has_one_way_to_be_built(name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text()
    assert source.count("\n") <= LONGEST
    assert len(re.findall(r"^def (?:build\(\)|model\(folder)", source, re.MULTILINE)) == 1


def made_by(*words: str) -> str:
    """The last command that `make` would run."""
    typed = {k: v for k, v in CLEAN.items() if not k.startswith(("MAKE", "MFLAGS", "ARGS"))}
    said = subprocess.check_output(["make", "-n", *words], cwd=ROOT, text=True, env=typed)
    return said.strip().splitlines()[-1]


def test_make_builds_one_or_all() -> None:
    building = ".venv/bin/python -m onnxlet.convert.examples"
    assert made_by("model", "EXAMPLE=churn") == f'{building} churn --models "models"'
    assert made_by("model") == f'{building} house_prices --models "models"'
    assert made_by("gallery", "MODELS=elsewhere") == f'{building} --models "elsewhere"'


def test_an_example_that_is_built_prints_its_proof_and_its_scores(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["sensor_anomalies", "--models", str(tmp_path / "models")])

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "parity certificate of sensor-anomalies version 1"
    [found] = [line for line in lines if line.startswith("  faults found: ")]
    assert re.fullmatch(r"  faults found: 0\.\d+ \(baseline: 0\.\d+\)", found)
    directory = tmp_path / "models" / "sensor-anomalies" / "1"
    assert lines[-1] == f"sensor-anomalies version 1 written to {directory}"
    assert (directory / "golden.json").exists()


def test_an_example_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as wrong:
        make("chrun", tmp_path, quiet)
    assert wrong.value.message == "no example 'chrun'"
    assert wrong.value.hint == f"There are {', '.join(names())}."
    assert list(tmp_path.iterdir()) == []
