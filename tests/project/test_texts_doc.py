"""docs/how-to/texts.md: its models are built, its requests answered, its lists the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sklearn.base import BaseEstimator

from onnxlet import Summary
from onnxlet.convert.converters.text_functions.rewriter import MODULES
from onnxlet.convert.examples.summary import articles
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.restricted_python import FUNCTIONS, SEARCHES
from onnxlet.function.inputs.sentences import split_sentences
from tests.conftest import ROOT
from tests.convert.helpers import command, served
from tests.project.test_device_docs import blocks

HOW_TO = (ROOT / "docs" / "how-to" / "texts.md").read_text("utf-8")
PAIRS = re.findall(r"^```http\n(.*?)^```\n\n```json\n(.*?)^```", HOW_TO, re.M | re.S)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("texts")
    for code, line in zip(blocks(HOW_TO, "python"), blocks(HOW_TO, "sh"), strict=True):
        name = code.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(code, "utf-8")
        source, *rest = line.split("convert build ")[1].split()
        done = command("build", str(folder / source), *rest, "--models", folder / "models")
        assert done.returncode == 0, done.stderr
    return served(folder / "models")


@pytest.mark.pipelines  # its models are built: half a minute
@pytest.mark.parametrize(("request_text", "shown"), PAIRS)
def test_a_request_is_answered_as_shown(client: Any, request_text: str, shown: str) -> None:
    head, _, body = request_text.partition("\n\n")
    answer = client.post(head.split()[1], json=json.loads(body))

    assert answer.status_code == 200
    wanted = json.loads(shown)
    assert {name: answer.json[name] for name in wanted} == wanted


def test_the_functions_are_those_of_the_code() -> None:
    [row] = re.findall(r"^\| functions \| (.*) \|$", HOW_TO, re.M)
    [searches] = re.findall(r"^\| `re` \| (.*) with a literal", HOW_TO, re.M)
    names = [name.rpartition(".") for name in re.findall(r"`([\w.]+)`", row)]

    assert sorted(last for *_, last in names) == sorted(FUNCTIONS)
    assert {module for module, *_ in names if module} <= {module.__name__ for module in MODULES}
    assert set(re.findall(r"`(\w+)`", searches)) == SEARCHES


def test_the_score_is_what_is_measured() -> None:
    found = lead = 0
    for half in (0, 1):
        known = articles()[half::2]
        model = Summary(3).fit([text for text, _ in known], [keys for _, keys in known])
        for text, keys in articles()[1 - half :: 2]:
            found += len({*model.predict([text])[0]} & {*keys})
            lead += len({*split_sentences(text)[:3]} & {*keys})

    assert "nine of ten key sentences where the first three find four" in HOW_TO
    assert (round(found / 6), round(lead / 6)) == (9, 4)
    assert f"longer than {LONGEST_TEXT:,} characters" in HOW_TO
    assert issubclass(Summary, BaseEstimator)
    assert Path(ROOT / "convert" / "examples" / "summary.py").is_file()
