"""Models without a background, and with one that is not what was built."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, ModelError, Problem
from onnxlet.function.explanation.background import background
from onnxlet.function.explanation.explain import NOT_FINITE, ExplainOptions
from onnxlet.function.explanation.explain import explain as explain_rows
from onnxlet.function.explanation.value_function import NOT_ANSWERED
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.models.model import Model, load_model
from tests.conftest import Client, app_of
from tests.function.altered import altered_manifest, put

BODY = {"instances": [[5.1, 3.5, 1.4, 0.2]]}


@pytest.fixture
def version(models: Path, tmp_path: Path) -> Path:
    """A copy of a version, to be altered."""
    shutil.copytree(models / "iris" / "1", tmp_path / "iris" / "1")
    return tmp_path / "iris" / "1"


def explain(version: Path, body: Any = BODY) -> Any:
    folder = version.parent.parent
    client = app_of(folder).test_client()
    return client.post("/models/iris/explain", json=body)


def rewrite(version: Path, change: Callable[[Any], Any], *, rehash: bool = True) -> None:
    """Alter the background, with a hash that fits or without."""
    content = json.loads((version / "background.json").read_bytes())
    change(content)
    if rehash:
        put(version, "background.json", json.dumps(content).encode())
    else:
        (version / "background.json").write_text(json.dumps(content))


def test_a_model_that_was_built_before_says_what_to_do(version: Path) -> None:
    with altered_manifest(version) as manifest:
        del manifest["files"]["background.json"]
    (version / "background.json").unlink()

    answer = explain(version)
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "model iris/1 has no background rows to explain its answers from",
        "hint": "Build the version again, with --keep-background N where made-up rows are not "
        "answered; import a model with --sample.",
    }


@pytest.mark.parametrize("speed", [0, -1, "9", None, [1], 1e308, True, 10**300])
def test_a_speed_that_no_build_writes_counts_as_usual(version: Path, speed: Any) -> None:
    expected = explain(version).get_json()
    with altered_manifest(version) as manifest:
        manifest["background"] = {**manifest.get("background", {}), "evaluations": speed}
    assert explain(version).get_json() == expected


@pytest.mark.parametrize("ignored", ["name", {"name": 1}, [1], [None, "name"], 5])
def test_columns_that_a_model_ignores_have_names(version: Path, ignored: Any) -> None:
    with altered_manifest(version) as manifest:
        manifest["signature"]["ignored"] = ignored
    with pytest.raises(ModelError, match="does not load: 'ignored': expected a list of names"):
        load_model(version)


def test_a_file_that_is_gone(version: Path) -> None:
    (version / "background.json").unlink()
    answer = explain(version)
    assert answer.status_code == 500
    detail = answer.get_json(force=True)["detail"]
    assert detail == "model iris/1: background.json can't be read: No such file or directory"


def test_a_file_that_was_altered(version: Path) -> None:
    rewrite(version, lambda about: about["instances"].pop(), rehash=False)
    answer = explain(version)
    assert answer.status_code == 500
    problem = answer.get_json(force=True)
    assert "model iris/1: background.json was altered: expected sha256" in problem["detail"]
    assert problem["hint"] == "Copy the version again, or build it again."


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("instances"),
        lambda about: about.pop("source"),
        lambda about: about["instances"].clear(),
        lambda about: about["instances"].append(["big", 1, 2, 3]),
        lambda about: about["instances"].append([None, 1, 2, 3]),
        lambda about: about.update(instances=3),
    ],
    ids=["no instances", "no source", "empty", "text", "missing", "a number"],
)
def test_rows_that_the_model_does_not_answer(version: Path, change: Callable[[Any], Any]) -> None:
    rewrite(version, change)
    answer = explain(version)
    assert answer.status_code == 500
    assert "background.json is not answered" in answer.get_json(force=True)["detail"]


def test_predictions_do_without_it(version: Path) -> None:
    (version / "background.json").unlink()
    folder = version.parent.parent
    client = app_of(folder).test_client()
    assert client.post("/models/iris/predict", json=BODY).status_code == 200


def test_the_background_is_read_once(version: Path) -> None:
    folder = version.parent.parent
    client = app_of(folder).test_client()
    first = client.post("/models/iris/explain", json=BODY)
    (version / "background.json").unlink()
    assert client.post("/models/iris/explain", json=BODY).get_json() == first.get_json()


def test_training_rows_are_named_as_the_source(version: Path) -> None:
    def kept(about: dict[str, Any]) -> None:
        about.update(source="training rows", instances=[[5.0, 3.0, 1.5, 0.2]])

    rewrite(version, kept)
    answer = explain(version).get_json()
    assert answer["background"] == {"source": "training rows", "rows": 1}
    assert sum(answer["base_value"]) == pytest.approx(1)


class Odd(Model):
    """Answers long leaves with infinity, unless they are wide as well."""

    def run(self, table: CheckedBatch, *more: Any, **most: Any) -> Mapping[str, Array]:
        outputs = super().run(table, *more, **most)
        [rows] = table.arrays
        outputs["probabilities"][(rows[:, 0] == 7.5) & (rows[:, 1] != 9.5)] = float("inf")
        return outputs


@pytest.mark.parametrize(
    "options", [ExplainOptions(), ExplainOptions(permutations=100)], ids=["exact", "sampled"]
)
@pytest.mark.parametrize(("width", "detail"), [(3.0, NOT_FINITE), (9.5, NOT_ANSWERED)])
def test_a_row_that_has_no_finite_answer_is_named(
    version: Path, options: ExplainOptions, width: float, detail: str
) -> None:
    known = load_model(version)
    model = Odd("iris", 1, known.manifest, (version / "model.onnx").read_bytes())
    table = validate_rows([[5.0, 3.0, 1.5, 0.2], [7.5, width, 1.5, 0.2]], model.signature)

    with pytest.raises(InvalidRows) as refused:
        explain_rows(model, background(known), table, options)
    assert refused.value.problems == [Problem(1, None, detail)]


def test_the_log_names_the_model_and_has_no_data(
    flask_client: Callable[..., Client], capfd: pytest.CaptureFixture[str]
) -> None:
    flask_client().post("/models/iris/explain", BODY)
    entry = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert (entry["model"], entry["version"], entry["rows"]) == ("iris", 1, 1)
    assert "5.1" not in json.dumps(entry["path"])
