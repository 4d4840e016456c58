"""docs/how-to/objects.md: the file that it shows is answered as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from onnxlet.function.aws.object_answers import WRITE
from onnxlet.function.aws.object_batches import SUFFIXES
from onnxlet.function.settings import Settings
from tests.conftest import ROOT
from tests.function.aws.bucket import S3
from tests.function.aws.scoring import Site, read_csv
from tools.deploy.options import read_plan

TEXT = (ROOT / "docs" / "how-to" / "objects.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_file_that_it_shows(models: Path) -> None:
    given, shown = blocks("csv")
    [problems] = blocks("jsonl")
    [keep] = re.findall(r"`ONNXLET_SCORE_KEEP=(\w+)`", TEXT)
    settings = Settings(score_keep=(keep,), default_model="iris")
    site = Site(models, S3(), settings)
    site.come("2026/monday.csv", given.encode())

    header, *rows = read_csv(site.s3.content("go/2026/monday.csv"))
    expected_header, *expected = read_csv(shown.encode())
    assert header == expected_header
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert [*map(number, row[2:])] == pytest.approx([*map(number, other[2:])], rel=1e-6)
    assert site.s3.content("go/2026/_monday.csv.problems.jsonl").decode() == problems
    for path in ("answers/2026/monday.csv", "answers/2026/_monday.csv.problems.jsonl"):
        assert f"`{path}`" in TEXT


def number(field: str) -> float:
    return float(field or "-1")


def test_the_deployment_that_it_shows() -> None:
    line = blocks("sh")[0].replace("\\\n", "").replace("BUCKET", "some-bucket")
    program, command, *options = shlex.split(line)
    plan = read_plan(dict(option.split("=", 1) for option in options))

    assert (program, command) == ("make", "deploy")
    assert plan.objects == ("s3://some-bucket/come/", "s3://some-bucket/answers/")
    assert plan.params()["maxSeconds"] == "899"


def test_the_names_that_it_lists() -> None:
    first = TEXT.partition("## What comes in")[2]
    rows = re.findall(r"^\| (`\..*?) \|", first, re.MULTILINE)
    assert set(re.findall(r"`(\.\w+)`", " ".join(rows))) == set(SUFFIXES)
    assert set(re.findall(r"`(\w+/[\w-]+)`", first.partition("Columns are")[0])) == set(WRITE)
