"""The report's files, and the command that writes them again."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.report import FILES
from onnxlet.convert.report.files import read_findings, report_files, write_again
from onnxlet.convert.report.form.findings import Call
from onnxlet.convert.report.sections import use
from onnxlet.function.errors import OnnxletError
from tests.convert.helpers import invoked
from tests.convert.report.samples import SAMPLES, binary


@cache
def drawn() -> dict[str, bytes]:
    return report_files(binary())


@pytest.fixture
def version(tmp_path: Path) -> Path:
    directory = tmp_path / "models" / "churn" / "3"
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text("{}")
    for name, content in drawn().items():
        (directory / name).write_bytes(content)
    return directory


@pytest.mark.long
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_files(sample: str) -> None:
    files = report_files(SAMPLES[sample])

    assert {*files, "report.csv"} == set(FILES)  # the last is of rows, which findings have none of
    assert set(files) == {"report.json", "report.html", "report.md", "report.sha256"}
    assert json.loads(files["report.json"]) == SAMPLES[sample]
    assert max(map(len, files.values())) < 2_000_000
    assert files == report_files(json.loads(files["report.json"]))


def test_it_is_written_again_as_it_was(version: Path) -> None:
    before = {each.name: each.read_bytes() for each in version.iterdir()}
    (version / "report.html").write_text("half")
    (version / "report.md").unlink()

    end = invoked("report", str(version))

    assert end.exit_code == 0, end.output
    assert {each.name: each.read_bytes() for each in version.iterdir()} == before
    assert "report.html" in end.output


DAMAGES: dict[str, str | None] = {
    "has no report.json": None,
    "is damaged: it is no JSON": "{",
    "is damaged: it is no JSON: maximum recursion": "[" * 100_000,
    "expected an object with 'format'": "[1]",
    "expected format 1, got 2": '{"format": 2}',
    "a part has not its form (": '{"format": 1}',
    "a part has not its form": json.dumps(binary() | {"scores": [{"metric": "x"}]}),
    "a part has not its form ": json.dumps(binary() | {"confusion": [[1]]}),
    " has not its form": json.dumps(binary() | {"roc": {"points": [["a"]], "auc": None}}),
}


@pytest.mark.parametrize("said", DAMAGES)
def test_what_cannot_be_shown_is_refused_and_nothing_is_written(version: Path, said: str) -> None:
    content, file = DAMAGES[said], version / "report.json"
    file.unlink() if content is None else file.write_text(content)
    before = {each.name: each.read_bytes() for each in version.iterdir()}

    end = invoked("report", str(version))

    assert end.exit_code == 1
    assert said in end.output
    assert "Traceback" not in end.output
    assert {each.name: each.read_bytes() for each in version.iterdir()} == before


@pytest.mark.parametrize(("below", "said"), [("4", "there is no"), ("", "one version")])
def test_what_is_no_version(version: Path, below: str, said: str) -> None:
    end = invoked("report", str(version.parent / below))

    assert (end.exit_code, said in end.output) == (2, True)


def test_a_disk_that_takes_nothing_leaves_nothing_half_written(version: Path) -> None:
    (version / "report.html").unlink()
    (version / "report.html").mkdir()  # a file can't take its place
    (version / "report.html" / "in").touch()

    with pytest.raises(OnnxletError, match="can't write in"):
        write_again(version)
    assert not list(version.glob(".report*"))


def test_a_refusal_says_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        read_findings(tmp_path)
    assert "train" in refused.value.hint


@pytest.mark.parametrize("sample", ["binary", "regression", "hostile"])
def test_both_snippets_send_the_row(sample: str) -> None:
    call = Call(**SAMPLES[sample]["call"])
    words = shlex.split(use.curl(call).replace("\\\n", " "))
    script = use.python(call).replace(
        "print(urllib.request.urlopen(request).read().decode())",
        "print(request.full_url, request.data.decode())",
    )
    script.encode()
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    url, _, body = ran.stdout.partition(" ")

    assert json.loads(words[-1]) == json.loads(body) == {"instances": [call.row]}
    assert url == words[2] == use.ADDRESS + call.path
