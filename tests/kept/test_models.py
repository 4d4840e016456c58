"""Model directories that earlier commits built, under today's code."""

from __future__ import annotations

import json
import shutil
from difflib import unified_diff
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from onnxlet.convert.build import build
from onnxlet.convert.command_line import main as convert
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import load_source
from onnxlet.function.app import create_app
from onnxlet.function.serving.golden import compare
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of, quiet
from tests.function.runtime.test_runtime import assert_same_answers
from tests.kept.conftest import HERE, Rebuilt
from tests.kept.sources import NAMES

ABOUT = ("task", "signature", "parity", "metrics")
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def client(models: Path) -> Client:
    return client_of(create_app(models, settings=Settings(models=models)))


def read(models: Path, name: str, file: str) -> Any:
    """A file of a kept version."""
    return json.loads((models / name / "1" / file).read_bytes())


@each
def test_it_is_verified(models: Path, name: str) -> None:
    done = CliRunner().invoke(convert, ["verify", str(models / name / "1")])
    rows = len(read(models, name, "golden.json")["instances"])
    assert (done.exit_code, rows >= 8) == (0, True)
    assert done.output == f"{name} version 1: {rows} golden rows answered as at build\n"


def test_all_are_listed_with_what_their_manifests_say(models: Path, client: Client) -> None:
    listed = {model["name"]: model for model in client.get("/models").json()["models"]}
    assert [(name, model["version"]) for name, model in listed.items()] == [(n, 1) for n in NAMES]
    for name, model in listed.items():
        manifest = read(models, name, "manifest.json")
        assert {key: model.get(key) for key in ABOUT} == {key: manifest[key] for key in ABOUT}
        assert model.get("classes") == manifest.get("classes")


def test_both_ways_to_the_runtime_answer_the_same(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assert_same_answers(models, monkeypatch) == len(NAMES)


@each
def test_its_golden_rows_are_answered_over_http(models: Path, client: Client, name: str) -> None:
    golden = read(models, name, "golden.json")
    answer = client.post(f"/models/{name}/predict", {"instances": golden["instances"]})
    assert (answer.status, answer.json()["version"]) == (200, 1)
    assert compare(answer.json(), golden) == []


@each
def test_its_answers_are_explained_from_its_background(
    models: Path, client: Client, name: str
) -> None:
    """Contributions add up to the answer, from the background's."""
    rows = read(models, name, "golden.json")["instances"][:2]
    answer = client.post(f"/models/{name}/explain", {"instances": rows})
    told = answer.json()
    assert answer.status == 200
    assert told["background"] == {
        key: value
        for key, value in read(models, name, "manifest.json")["background"].items()
        if key in ("source", "rows")
    }
    for row in told["explanations"]:
        parts = np.sum([told["base_value"], *row["contributions"].values()], axis=0)
        np.testing.assert_allclose(parts, row["answer"], rtol=1e-6, atol=1e-6)


@each
def test_a_build_of_today_is_its_next_version(rebuilt: Rebuilt, name: str) -> None:
    """Clients can go on with it: else the build had refused."""
    built = rebuilt.built[name]
    assert (built.version, built.new) == (2, True)
    client = client_of(create_app(rebuilt.folder, settings=Settings(models=rebuilt.folder)))
    for path, version in ((f"/models/{name}", 2), (f"/models/{name}/versions/1", 1)):
        directory = rebuilt.folder / name / str(version)
        golden = json.loads((directory / "golden.json").read_bytes())
        answer = client.post(f"{path}/predict", {"instances": golden["instances"]})
        assert (answer.status, answer.json()["version"]) == (200, version)
        assert compare(answer.json(), golden) == []


def test_the_next_version_was_compared_with_it(
    models: Path, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    assert [line for line in rebuilt.reported if "not compared" in line] == []
    folder = shutil.copytree(models, tmp_path / "models")
    with pytest.raises(Refusal, match=r"clients of frame version 1, .* could not go on"):
        build(load_source(f"{HERE / 'sources.py'}:iris"), "frame", folder, quiet)


def test_its_report_is_written_again_with_what_is_said_first_now(tmp_path: Path) -> None:
    """From the findings; the card holds the sentences, and nothing of what was not written then."""
    kept = HERE / "030d1dd" / "models" / "frame" / "1"
    version = shutil.copytree(kept, tmp_path / "1")
    (version / "report.md").unlink()
    done = CliRunner().invoke(convert, ["report", str(version)])
    assert (done.exit_code, (version / "report.html").is_file()) == (0, True), done.output
    before, now = ((each / "report.md").read_text().splitlines() for each in (kept, version))
    first, *more = [line for line in unified_diff(before, now, n=0) if line[0] in "+-"][2:]
    assert first.startswith("+Typically 1.57 off, against 21 by always answering the same")
    assert more[:2] == ["+", "+## For technical documentation"]
    assert {line[0] for line in more} == {"+"}, "something of the card is gone"
    assert "## What it was made from" not in now, "nothing is known of that"
