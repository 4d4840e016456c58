"""`POST /models/N/explain`, held against scikit-learn's own answers and the definition."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.explanation import route
from onnxlet.function.explanation.background import USUAL
from onnxlet.function.explanation.background import background as background_of
from onnxlet.function.explanation.explain import ExplainOptions
from onnxlet.function.explanation.explain import explain as explain_rows
from onnxlet.function.explanation.route import MOST_PERMUTATIONS
from onnxlet.function.explanation.shapley import EXACT_PLAYERS
from onnxlet.function.explanation.target import MOST_OUTPUTS
from onnxlet.function.explanation.texts import MOST_TOKENS
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, Client, app_of
from tests.function.altered import altered_manifest
from tests.function.explanation import models as made
from tests.function.explanation.value_functions import by_definition
from tests.kept_builds import kept_builds

TASKS = made.tasks()
INSTANCES = made.X[:2].round(3).tolist()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models. Tests don't write there."""
    sources = {
        name.replace(" ", "-"): Source(task.estimator, made.X) for name, task in TASKS.items()
    }
    makers = made.with_gaps, made.texts, made.mixed, made.read_twice
    sources |= {make.__name__: make() for make in makers}
    return kept_builds(sources, tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="session")
def ask(folder: Path) -> Callable[..., Any]:
    """Explains some instances of a model; the answer, or the problem."""
    client = app_of(folder).test_client()

    def explain(name: str, instances: Any, **more: Any) -> Any:
        answer = client.post(f"/models/{name}/explain", json={"instances": instances, **more})
        return answer.get_json(force=True)

    return explain


def flat(numbers: Any) -> list[float]:
    """A number, a list of them or a list of lists, as a list."""
    if not isinstance(numbers, list):
        return [numbers]
    return [number for entry in numbers for number in flat(entry)]


def columns_of(explanation: dict[str, Any], member: str = "contributions") -> Any:
    return np.array([flat(numbers) for numbers in explanation[member].values()])


def check_sums(answer: dict[str, Any]) -> None:
    """Contributions are what lies between the base value and the answer."""
    for explanation in answer["explanations"]:
        apart = np.subtract(flat(explanation["answer"]), flat(answer["base_value"]))
        scale = 1e-12 * max(1, *np.abs(flat(explanation["answer"])))
        np.testing.assert_allclose(columns_of(explanation).sum(axis=0), apart, atol=scale, rtol=0)


# Over every transport


def test_the_answer_over_every_transport(client: Client, models: Path) -> None:
    body = {"instances": [{"x0": 5.1, "x1": 3.5, "x2": 1.4, "x3": 0.2}, [6, 3, 5, 2]]}
    got = client.post("/models/iris/explain", body)
    answer = got.json()

    assert got.status == 200
    check_sums(answer)
    prediction = client.post("/models/iris/predict", body).json()
    assert answer == {
        "model": "iris",
        "version": 1,
        "method": "exact",
        "background": {"source": "statistics", "rows": 50},
        "output": "probabilities",
        "classes": [0, 1, 2],
        "base_value": answer["base_value"],
        "evaluations": 2 + 2 * 50 * 14,
        "explanations": [
            {
                "prediction": prediction["prediction"][row],
                "answer": prediction["probabilities"][row],
                "contributions": {
                    name: [pytest.approx(share, abs=1) for share in [0.0] * 3]
                    for name in ("x0", "x1", "x2", "x3")
                },
            }
            for row in (0, 1)
        ],
    }
    assert answer == client.post("/models/iris/versions/1/explain", body).json()
    assert answer == client.post("/explain", body | {"model": "iris"}).json()
    csv = b"x0,x1,x2,x3\n5.1,3.5,1.4,0.2\n6,3,5,2\n"
    assert answer == client.post("/models/iris/explain", csv, kind="csv").json()


# Every task


@pytest.mark.parametrize("name", TASKS)
def test_contributions_are_scikit_learns_by_the_definition(
    name: str, ask: Callable[..., Any], folder: Path
) -> None:
    task, place = TASKS[name], name.replace(" ", "-")
    answer = ask(place, INSTANCES)

    def numbers(rows: Any) -> Any:
        return np.asarray(task.numbers(rows), dtype=float).reshape(len(rows), -1)

    rows = np.array(made.background_rows(folder, place))
    assert answer["method"] == "exact"
    assert answer["output"] == task.output
    assert answer.get("classes") == task.classes
    np.testing.assert_allclose(
        flat(answer["base_value"]), numbers(rows).mean(axis=0), atol=1e-6, rtol=1e-6
    )
    predicted = task.estimator.predict if hasattr(task.estimator, "predict") else None
    for explanation, instance in zip(answer["explanations"], INSTANCES, strict=True):
        expected = by_definition(numbers, rows, instance)
        np.testing.assert_allclose(columns_of(explanation), expected, atol=1e-6, rtol=1e-6)
        assert list(explanation["contributions"]) == ["x0", "x1", "x2"]
        assert "errors" not in explanation
        if predicted is not None:
            got = np.asarray(predicted([instance]))[0].tolist()
            plain = isinstance(got, bool | str)
            assert explanation["prediction"] == (got if plain else pytest.approx(got))
    check_sums(answer)


@pytest.mark.parametrize("name", TASKS)
def test_samples_come_near_the_exact_contributions(name: str, ask: Callable[..., Any]) -> None:
    place = name.replace(" ", "-")
    exact, sampled = ask(place, INSTANCES), ask(place, INSTANCES, permutations=2000)

    assert (sampled["method"], sampled["permutations"]) == ("permutation", 2000)
    check_sums(sampled)
    for told, near in zip(exact["explanations"], sampled["explanations"], strict=True):
        off = np.abs(columns_of(told) - columns_of(near))
        assert (off <= 5 * columns_of(near, "errors") + 1e-9).all()


def test_forms_of_numbers_and_lists(ask: Callable[..., Any]) -> None:
    for name, form in {
        "a-number": 0.0,
        "one-score": 0.0,
        "outliers": 0.0,
        "two-numbers": [0.0, 0.0],
        "transformed-columns": [0.0, 0.0],
        "probabilities": [0.0] * 3,
        "two-outputs-with-classes": [[0.0] * 3, [0.0] * 2],
    }.items():
        answer = ask(name, INSTANCES[:1])
        explanation = answer["explanations"][0]
        for numbers in (answer["base_value"], *explanation["contributions"].values()):
            assert json.loads(json.dumps(numbers), parse_float=lambda _: 0.0) == form


# Missing values, mixed frames, text


def test_missing_values_on_both_sides(ask: Callable[..., Any], folder: Path) -> None:
    source = made.with_gaps()
    rows = made.background_rows(folder, "with_gaps")
    assert 0 < sum(row[0] is None for row in rows) < 25
    instances = [[None, 0.5, 2, True], [0.3, -0.5, -1, False]]
    answer = ask("with_gaps", instances)

    def numbers(rows: Any) -> Any:
        frame = pd.DataFrame(rows.tolist(), columns=list("abcd"))
        return source.estimator.predict(frame.astype({"a": float, "c": int, "d": bool}))[:, None]

    check_sums(answer)
    for explanation, instance in zip(answer["explanations"], instances, strict=True):
        expected = by_definition(numbers, np.array(rows, dtype=object), np.array(instance, object))
        np.testing.assert_allclose(columns_of(explanation), expected, atol=1e-9)


def test_tokens_of_a_text(ask: Callable[..., Any]) -> None:
    estimator, text = made.texts().estimator, "Not a very good film - bad."
    answer = ask("texts", [[text]])
    parts = ["Not a ", "very ", "good ", "film - ", "bad."]

    def numbers(rows: Any) -> Any:
        """A row says of each part whether it is there."""
        texts = ["".join(p for p, there in zip(parts, row, strict=True) if there) for row in rows]
        return estimator.predict_proba(texts)

    expected = by_definition(numbers, np.zeros((1, 5)), np.ones(5))
    explanation = answer["explanations"][0]
    assert answer["method"] == "exact"
    assert answer["background"] == {"source": "statistics", "rows": 1}
    np.testing.assert_allclose(answer["base_value"], estimator.predict_proba([""])[0], atol=1e-7)
    assert explanation["tokens"] == {
        "x0": [
            {
                "token": text[start:end],
                "start": start,
                "end": end,
                "contribution": pytest.approx(share.tolist(), abs=1e-6),
            }
            for (start, end), share in zip(
                [(0, 3), (6, 10), (11, 15), (16, 20), (23, 26)], expected, strict=True
            )
        ]
    }
    np.testing.assert_allclose(columns_of(explanation)[0], expected.sum(axis=0), atol=1e-6)
    check_sums(answer)


def test_tokens_of_a_text_that_is_a_category_too(ask: Callable[..., Any]) -> None:
    """Without its first word it is a category of the training rows."""
    estimator, parts = made.read_twice().estimator, ["very ", "bad ", "film"]
    [explanation] = ask("read_twice", [["very bad film"]])["explanations"]

    def numbers(rows: Any) -> Any:
        texts = ["".join(compress(parts, row)) for row in rows]
        return estimator.predict_proba(pd.DataFrame({"title": texts}))

    expected = by_definition(numbers, np.zeros((1, 3)), np.ones(3))
    told = [token["contribution"] for token in explanation["tokens"]["title"]]
    np.testing.assert_allclose(told, expected, atol=1e-6)


def test_counted_texts_are_run_some_rows_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vocabulary is wide, where the graph spreads it."""
    model = load_model(folder / "texts" / "1")
    table = validate_rows([["not a very good film at all"]], model.signature)

    def contributions() -> Any:
        return explain_rows(model, background_of(model), table, ExplainOptions()).values[0]

    whole = contributions()
    assert model.signature.counted_at_once is not None
    assert model.signature.counted_at_once > 1000
    ran: list[int] = []
    answers = Model._answers

    def counting(own: Any, blocks: Any, *more: Any, **most: Any) -> Any:
        ran.append(len(blocks[0]))
        return answers(own, blocks, *more, **most)

    monkeypatch.setattr(Model, "_answers", counting)
    monkeypatch.setattr(model.signature, "counted_at_once", 7)
    np.testing.assert_allclose(contributions(), whole, atol=1e-12)
    assert max(ran) == 7


def test_a_text_without_tokens_is_one_cell(ask: Callable[..., Any]) -> None:
    answer = ask("texts", [["!"], [""], ["good"]])
    for explanation in answer["explanations"][:2]:
        assert explanation["tokens"] == {"x0": []}
        np.testing.assert_allclose(explanation["contributions"]["x0"], 0, atol=1e-12)
    assert [t["token"] for t in answer["explanations"][2]["tokens"]["x0"]] == ["good"]


def test_a_frame_with_texts_is_explained_by_columns_and_tokens(ask: Callable[..., Any]) -> None:
    rows: list[dict[str, Any]] = [
        {"price": None, "kind": "new", "title": "a very good film", "note": "red or blue"},
        {"price": 12.5, "kind": "never seen", "title": "unknown words", "note": "blue"},
    ]
    answer = ask("mixed", rows)

    check_sums(answer)
    assert answer["method"] == "exact"
    first, second = answer["explanations"]
    for explanation in (first, second):
        assert list(explanation["contributions"]) == ["price", "kind", "title", "note", "id"]
        assert explanation["contributions"]["id"] == [0.0, 0.0]
        for column, told in explanation["tokens"].items():
            shares = [token["contribution"] for token in told]
            if shares:
                np.testing.assert_allclose(
                    np.sum(shares, axis=0), explanation["contributions"][column], atol=1e-12
                )
    assert [t["token"] for t in first["tokens"]["title"]] == ["very", "good", "film"]
    assert [t["token"] for t in first["tokens"]["note"]] == ["red", "or", "blue"]
    assert second["tokens"]["title"] == []
    sampled = ask("mixed", rows, permutations=3000)
    for told, near in zip(answer["explanations"], sampled["explanations"], strict=True):
        off = np.abs(columns_of(told) - columns_of(near))
        assert (off <= 5 * columns_of(near, "errors") + 1e-9).all()


def test_numbers_categories_and_tokens_are_shared_out_by_the_definition(
    ask: Callable[..., Any], folder: Path
) -> None:
    estimator, parts = made.mixed().estimator, (["a very ", "good ", "film"], ["red"])
    instance = {"price": 7.5, "kind": "used", "title": "a very good film", "note": "red"}
    [explanation] = ask("mixed", [instance])["explanations"]
    base = made.background_rows(folder, "mixed")

    def numbers(rows: Any) -> Any:
        """A row has the price, the kind, and of each part of the texts whether it is there."""
        frame = pd.DataFrame(
            {
                "price": rows[:, 0].astype(float),
                "kind": rows[:, 1],
                "title": ["".join(compress(parts[0], row[2:5])) for row in rows],
                "note": ["".join(compress(parts[1], row[5:])) for row in rows],
                "id": "",
            }
        )
        return estimator.predict_proba(frame)

    rows = np.array([[row[0], row[1], *[False] * 4] for row in base], dtype=object)
    expected = by_definition(numbers, rows, np.array([7.5, "used", *[True] * 4], dtype=object))
    told = explanation["contributions"]
    np.testing.assert_allclose([told["price"], told["kind"]], expected[:2], atol=1e-6)
    tokens = [*explanation["tokens"]["title"], *explanation["tokens"]["note"]]
    assert [each["token"] for each in tokens] == ["very", "good", "film", "red"]
    np.testing.assert_allclose([each["contribution"] for each in tokens], expected[2:], atol=1e-6)


def test_a_long_text_is_explained_by_groups_of_words(ask: Callable[..., Any]) -> None:
    words = ["good", "bad", "very", "film", "slow", "story"] * 40
    answer = ask("texts", [[" ".join(words)]], permutations=20)
    told = answer["explanations"][0]["tokens"]["x0"]

    assert len(told) == 48
    assert [each["token"] for each in told][:1] == ["good bad very film slow"]
    check_sums(answer)


# The same request, the same answer


def test_the_same_request_gives_the_same_answer(ask: Callable[..., Any]) -> None:
    rows = [[0.1, 0.2, 0.3], *INSTANCES]
    once = ask("probabilities", rows, permutations=300, seed=7)

    assert ask("probabilities", rows, permutations=300, seed=7) == once
    assert ask("probabilities", rows, permutations=300, seed=8) != once
    alone = ask("probabilities", rows[1:2], permutations=300, seed=7)
    assert alone["explanations"] == once["explanations"][1:2]


def test_little_time_leaves_few_permutations(ask: Callable[..., Any]) -> None:
    answer = ask("outliers", INSTANCES, seconds=1e-6, permutations=100_000)
    assert answer["permutations"] == 100
    check_sums(answer)
    short = ask("outliers", INSTANCES, seconds=1e-6)
    assert (short["method"], short["permutations"]) == ("permutation", 100)


def method_of(ask: Callable[..., Any], rows: int, seconds: float) -> str:
    answer = ask("outliers", [INSTANCES[0]] * rows, seconds=seconds)
    assert "cut_short" not in answer
    return str(answer["method"])


def test_seconds_count_runs_not_time(ask: Callable[..., Any]) -> None:
    """Neither the machine's speed nor what else it does changes an answer."""
    whole, half = (
        ask("outliers", INSTANCES, seconds=seconds, permutations=MOST_PERMUTATIONS)
        for seconds in (1, 0.5)
    )
    each_round = len(INSTANCES) * 50 * 2 * 2  # background rows, directions, coalitions of three
    for answer, most in ((whole, USUAL), (half, USUAL // 2)):
        spent = answer["evaluations"] - len(INSTANCES)
        assert spent <= most < spent + each_round
        assert answer["permutations"] == spent // each_round * 100
        assert "cut_short" not in answer
    # Exact values of a row cost six coalitions, on 50 background rows.
    seconds = 10 * 50 * 6 / USUAL
    assert (method_of(ask, 10, seconds), method_of(ask, 11, seconds)) == ("exact", "permutation")


def with_evaluations(folder: Path, to: Path, evaluations: int) -> Path:
    """A copy of a model, as if its build had measured so many."""
    shutil.copytree(folder / "outliers", to / "outliers")
    with altered_manifest(to / "outliers" / "1") as manifest:
        manifest["background"]["evaluations"] = evaluations
    return to


def test_a_slow_model_is_explained_by_fewer_runs(folder: Path, tmp_path: Path) -> None:
    settings = Settings(models=with_evaluations(folder, tmp_path, 64))
    client = create_app(tmp_path, settings=settings).test_client()
    answer = client.post("/models/outliers/explain", json={"instances": INSTANCES}).get_json()
    assert (answer["method"], answer["permutations"]) == ("permutation", 100)
    assert "cut_short" not in answer


def test_the_servers_own_limit_leaves_time_for_the_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last resort, which the answer says."""
    monkeypatch.setattr(route, "evaluations", lambda model: 10**12)  # no count ends it
    client = app_of(folder, max_seconds=1).test_client()
    body = {"instances": INSTANCES * 25, "permutations": MOST_PERMUTATIONS}
    answer = client.post("/models/outliers/explain", json=body).get_json()
    assert 100 <= answer["permutations"] < MOST_PERMUTATIONS
    assert answer["cut_short"] is True
    check_sums(answer)


# What is asked for


def test_only_one_class(ask: Callable[..., Any]) -> None:
    whole, one = ask("text-labels", INSTANCES), ask("text-labels", INSTANCES, classes=["middle"])

    assert one["classes"] == ["middle"]
    assert one["base_value"] == pytest.approx(whole["base_value"][2:])
    for told, near in zip(whole["explanations"], one["explanations"], strict=True):
        assert near["prediction"] == told["prediction"]
        np.testing.assert_allclose(columns_of(near), columns_of(told)[:, 2:], atol=1e-14)


def test_one_column_of_a_transformation(ask: Callable[..., Any]) -> None:
    whole = ask("transformed-columns", INSTANCES)
    one = ask("transformed-columns", INSTANCES, classes=[1])
    assert one["classes"] == [1]
    assert one["base_value"] == pytest.approx(whole["base_value"][1:])


def test_another_output(ask: Callable[..., Any]) -> None:
    answer = ask("text-labels", INSTANCES, output="prediction")
    assert (answer["output"], answer["classes"]) == ("prediction", ["high", "low", "middle"])
    for explanation in answer["explanations"]:
        assert sorted(explanation["answer"]) == [0.0, 0.0, 1.0]
    check_sums(answer)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no output": ({"output": "odds"}, "'output': expected one of prediction, probabilities"),
    "output a number": ({"output": 1}, "'output': expected a name, got 1"),
    "no class": ({"classes": ["huge"]}, "'classes': expected some of [0, 1, 2]"),
    "a class twice": ({"classes": [1, 1]}, "'classes': expected some of [0, 1, 2], each once"),
    "no classes": ({"classes": []}, "'classes': expected some of"),
    "true for one": ({"classes": [True]}, "'classes': expected some of"),
    "classes a name": ({"classes": "low"}, "'classes': expected a list"),
    "no seconds": ({"seconds": 0}, "'seconds': expected a number above 0, at most 20, got 0"),
    "endless seconds": ({"seconds": 1e9}, "'seconds': expected a number above 0, at most 20"),
    "seconds yes": ({"seconds": True}, "'seconds': expected a number"),
    "half permutations": ({"permutations": 2.5}, "'permutations': expected a whole number"),
    "one permutation": ({"permutations": 1}, "'permutations': expected a whole number from 2"),
    "a negative seed": ({"seed": -1}, "'seed': expected a whole number from 0"),
    "an unknown member": ({"budget": 3}, "unknown members ['budget'] beside 'instances'"),
}


@pytest.mark.parametrize(("more", "detail"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_for(
    more: dict[str, Any], detail: str, ask: Callable[..., Any]
) -> None:
    problem = ask("probabilities", INSTANCES, **more)
    assert problem["status"] == 400
    assert detail in problem["detail"]


def test_classes_of_several_outputs_are_not_chosen_from(ask: Callable[..., Any]) -> None:
    problem = ask("two-outputs-with-classes", INSTANCES, classes=[0])
    assert (problem["status"], "explained as a whole" in problem["detail"]) == (400, True)


def test_rows_that_predictions_would_refuse(ask: Callable[..., Any]) -> None:
    problem = ask("probabilities", [[1.0, None, "big"], [1.0]])
    assert problem["status"] == 422
    assert [(e["row"], e["column"]) for e in problem["errors"]] == [(0, "x1"), (0, "x2"), (1, None)]


def test_explanations_leave_threads_to_predictions(ask: Callable[..., Any]) -> None:
    for _ in range(route.EXPLANATIONS_AT_ONCE):
        assert route.ROOM.acquire(blocking=False)
    try:
        problem = ask("a-number", INSTANCES)
    finally:
        route.ROOM.release(route.EXPLANATIONS_AT_ONCE)
    assert problem["status"] == 503
    assert problem["detail"] == "3 explanations are being computed, as many as are at once"
    for _ in range(route.EXPLANATIONS_AT_ONCE + 1):  # one that is refused gives its place back, too
        assert ask("a-number", [])["status"] == 422
    assert "explanations" in ask("a-number", INSTANCES)


def test_too_many_rows(ask: Callable[..., Any]) -> None:
    assert len(ask("a-number", INSTANCES * 50)["explanations"]) == 100
    problem = ask("a-number", [*INSTANCES * 50, INSTANCES[0]])
    assert problem["status"] == 413
    assert "expected at most 100 rows to explain, got 101" in problem["detail"]


@pytest.fixture
def post(folder: Path) -> Callable[..., Any]:
    """Sends bodies and queries as they are."""
    client = app_of(folder).test_client()

    def send(query: str, body: bytes, **more: Any) -> Any:
        more = {"content_type": "application/json"} | more
        return client.post(f"/models/a-number/explain{query}", data=body, **more).get_json(
            force=True
        )

    return send


@pytest.mark.parametrize(
    ("query", "body", "status", "detail"),
    [
        ("", b"", 400, "the body is empty"),
        ("", b"{", 400, "not JSON"),
        ("", b"3", 400, "expected an object with 'instances', got a number"),
        ("", b'{"seconds": 1}', 400, "expected an object with 'instances'"),
        ("", b'{"instances": []}', 422, "no instances"),
        ("?on_error=null", b"[[1, 2, 3]]", 400, "'on_error': rows are explained together"),
        ("?on_error=x", b"[[1, 2, 3]]", 400, "'on_error': expected null or refuse"),
    ],
)
def test_bodies_that_are_none(
    query: str, body: bytes, status: int, detail: str, post: Callable[..., Any]
) -> None:
    problem = post(query, body)
    assert (problem["status"], detail in problem["detail"]) == (status, True), problem


def test_media_types_and_charsets_are_those_of_predictions(post: Callable[..., Any]) -> None:
    assert post("", b"<x/>", content_type="text/xml")["status"] == 415
    odd = post("", b"[[1, 2, 3]]", content_type="application/json; charset=utf-16")
    assert (odd["status"], "charset" in odd["detail"]) == (415, True)
    assert post("", b"[[1, 2, 3]]")["method"] == "exact"


# The document


def test_the_documented_request_and_answer(models: Path) -> None:
    document = (ROOT / "docs" / "how-to" / "explanations.md").read_text()
    [(command, told)] = re.findall(r"```sh\n(.*?)```\n\n```json\n(.*?)```", document, re.DOTALL)
    path, body = re.findall(r":8080(\S+) .*-d '\n(.*)'\n", command, re.DOTALL)[0]
    client = app_of(models).test_client()
    answer = client.post(path, data=body, content_type="application/json").get_json()

    near = partial(pytest.approx, rel=1e-3, abs=0.01)
    for each in (expected := json.loads(told))["explanations"]:
        each["prediction"] = near(each["prediction"])
        each["answer"] = near(each["answer"])
        each["contributions"] = near(each["contributions"])
        each["errors"] = near(each["errors"])
    expected["base_value"] = near(expected["base_value"])
    assert answer == expected


def test_the_documented_limits() -> None:
    document = (ROOT / "docs" / "how-to" / "explanations.md").read_text()
    for phrase in (
        f"at most {route.MOST_ROWS} rows",
        f"all, at most {MOST_OUTPUTS}",
        f"at most {route.MOST_SECONDS:g} | {ExplainOptions().seconds:g} |",
        f"else {USUAL:,})",
        f"sampled too | {ExplainOptions().usual} |",
        f"of the orders | {ExplainOptions().seed} |",
        f"at most {MOST_TOKENS} to a text",
        f"Up to {EXACT_PLAYERS} columns",
    ):
        assert phrase in document
    assert re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE) == [
        *("output", "classes", "seconds", "permutations", "seed")
    ]
    assert set(route.READ) == {"output", "classes", "seconds", "permutations", "seed"}
