"""Encoders and decoders that answer a text with a text: every form, every protocol."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnxlet.convert.build import Built
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.imported.text_options import TextOptions
from onnxlet.function import deadline
from onnxlet.function.errors import TookTooLong, WrongUse
from onnxlet.function.inputs.sequences import IdFeed
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests.convert.helpers import invoked, quiet
from tests.convert.imported.importing import ask, client_of, json_forms, predicted
from tests.convert.imported.onnx_files import FLOAT, INT64, model, node, value
from tests.convert.imported.translators import (
    LETTERS,
    VOCABULARY,
    WRITTEN,
    decoded,
    encoder,
    lines,
    save_all,
    stepwise,
    whole,
)

TEXTS = [
    *["abc", "h", "gfe", "abcdefgh", "abxy", "hhhhhhhhhhhh", "a", "xyz", "cab", "bca"],
    *["ab.cdefg", ".b", "c.", "gh", "bc"],
]
EXPECTED = [decoded(text) for text in TEXTS]
PAIRS = {
    "stepwise": (encoder(), stepwise()),
    "stepwise, one column": (encoder(), stepwise(flat=False)),
    "stepwise, next_": (encoder(), stepwise(new="next_at")),
    "stepwise, _out": (encoder(), stepwise(new="at_out")),
    "whole": (encoder(), whole()),
    "masked": (encoder(mask=True), whole()),
}


def imported(
    folder: Path,
    first: onnx.ModelProto,
    second: onnx.ModelProto,
    vocabulary: Any = VOCABULARY,
    sample: Path | None = None,
    expected: Path | None = None,
    **options: Any,
) -> Built:
    files = save_all(folder, first, second, vocabulary)
    texts = TextOptions(files["decoder"], files["vocabulary"], **options)
    return import_onnx(
        files["encoder"], "net", folder / "models", quiet, sample, expected, texts=texts
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("translator")
    sample = lines(folder / "in.txt", TEXTS * 3)
    expected = lines(folder / "out.txt", [text for text, _ in EXPECTED] * 3)
    return imported(folder, *PAIRS["stepwise"], sample=sample, expected=expected)


@pytest.fixture(scope="module")
def client(built: Built) -> Any:
    return client_of(built)


def instances(texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def assert_answers(got: Any) -> None:
    assert got["prediction"] == [text for text, _ in EXPECTED]
    assert np.allclose(got["score"], [score for _, score in EXPECTED], rtol=1e-5)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_form_is_decoded_as_by_hand(tmp_path: Path, pair: str) -> None:
    made = imported(tmp_path, *PAIRS[pair])
    client = client_of(made)

    assert_answers(ask(client, instances(TEXTS)))
    for text, (wanted, score) in zip(TEXTS, EXPECTED, strict=True):
        got = client.post("/predict", json=[[text]]).get_json()
        assert got["prediction"] == [wanted]
        assert got["score"] == pytest.approx([score], rel=1e-5)
    assert made.manifest["parity"] == {"state": "unverified", "reason": "no sample was given"}
    assert "rows_at_once" not in made.manifest["graph"]


def test_it_is_proven_by_the_frameworks_own_texts(built: Built) -> None:
    assert built.manifest["signature"] == {
        "inputs": [
            {"name": "text", "type": "string", "nullable": False, "longest": 12, "shape": [-1, 1]}
        ],
        "outputs": [
            {"name": "prediction", "type": "string", "shape": [-1]},
            {"name": "score", "type": "float32", "shape": [-1]},
        ],
    }
    assert built.manifest["parity"] == {
        "state": "verified",
        "held_out_rows": 3 * len(TEXTS),
        "hard_rows": 0,
        "differing_rows": 0,
        "tolerance": 1e-5,
        "outputs": {"prediction": {"largest_absolute": 0.0, "largest_relative": 0.0}},
    }
    assert verify(built.directory)[1] == 24
    # Of a text its length is counted, and no answer is frequent enough to be a category.
    assert [
        (f.get("column", f.get("output")), f["measure"])
        for f in built.manifest["reference"]["features"]
    ] == [("score", "value"), ("text", "length")]


def v2(datatype: str = "BYTES") -> dict[str, Any]:
    shape = [len(TEXTS), 1]
    return {"inputs": [{"name": "text", "datatype": datatype, "shape": shape, "data": TEXTS}]}


REQUESTS = json_forms({"text": TEXTS})


@pytest.mark.parametrize("form", REQUESTS)
def test_other_protocols_answer_the_same(client: Any, form: str) -> None:
    assert predicted(client, *REQUESTS[form]) == [text for text, _ in EXPECTED]


def test_v2_answers_bytes(client: Any) -> None:
    got = client.post("/v2/models/net/infer", json=v2()).get_json()

    prediction, score = got["outputs"]
    assert (prediction["datatype"], prediction["shape"]) == ("BYTES", [len(TEXTS)])
    assert (score["datatype"], score["shape"]) == ("FP32", [len(TEXTS)])
    assert_answers({"prediction": prediction["data"], "score": score["data"]})


def test_csv_is_answered(client: Any) -> None:
    body = "text\n" + "".join(f"{text}\n" for text in TEXTS)
    got = client.post("/predict", data=body, headers={"Content-Type": "text/csv"}).get_json()
    assert_answers(got)


def test_mistakes_name_their_rows_all_at_once(tmp_path: Path) -> None:
    strict = {key: value for key, value in VOCABULARY.items() if key != "unknown"}
    client = client_of(imported(tmp_path, *PAIRS["whole"], strict | {"input": ["<pad>", *LETTERS]}))

    status, errors = ask(client, instances(["abc", "", "axyb", "a" * 13]))
    # Lengths in characters are checked before any text is cut.
    detail = "the string has 13 characters, and 12 is the most"
    assert (status, errors) == (422, [{"row": 3, "column": "text", "detail": detail}])
    status, errors = ask(client, instances(["abc", "", "axyb"]))
    assert (status, [(e["row"], e["column"], e["detail"]) for e in errors]) == (
        422,
        [
            (1, "text", "expected 1 to 12 characters, got 0"),
            (2, "text", "expected characters of the model's vocabulary, got 'x', 'y'"),
        ],
    )


def test_an_answer_does_not_depend_on_the_other_rows(client: Any) -> None:
    """Of texts of one length, which are run together, some end sooner than others."""
    random = np.random.default_rng(0)
    texts = ["".join(random.choice([*LETTERS, "."], n)) for n in random.integers(1, 13, 200)]
    together = ask(client, instances(texts))
    for row in range(0, 200, 10):
        single = ask(client, instances(texts[row : row + 1]))
        assert single["prediction"] == [together["prediction"][row]]
        assert single["score"] == [together["score"][row]]
    assert together["prediction"] == [decoded(text)[0] for text in texts]


def test_explanations_are_refused_with_the_reason(client: Any) -> None:
    got = client.post("/models/net/explain", json={"instances": instances(["abc"])})
    assert got.status_code == 409
    assert got.get_json()["detail"] == (
        "model net/1 answers a text with a text: there is no number to explain"
    )


def test_the_example_is_one_that_the_model_answers(client: Any) -> None:
    document = client.get("/openapi.json").get_json()
    [example] = document["components"]["schemas"]["net.row"]["examples"]
    assert example == {"text": "abc"}
    assert client.post("/predict", json=[example]).get_json()["prediction"] == ["ABC"]


# words


WORDS: dict[str, Any] = {
    "unit": "word",
    "input": ["<pad>", "<unk>", "one", "two", "three", "!", "café", "x", "y", "z", "."],
    "output": ["<pad>", "<s>", "</s>", "eins", "zwei", "drei", "!", "Café", "X", "Y", "Z"],
    "start": "<s>",
    "end": "</s>",
    "unknown": "<unk>",
    "pad": "<pad>",
    "nfc": True,
    "longest": 5,
}


def test_words_are_cut_and_joined(tmp_path: Path) -> None:
    made = imported(tmp_path, *PAIRS["stepwise"], WORDS, column="satz")
    client = client_of(made)

    texts = ["one two three", "cafe\u0301 two!", "<pad> x", "one two three one two x"]
    got = ask(client, [{"satz": text} for text in texts[:3]])
    # "<pad>" is cut into "<", "pad" and ">", none of which is known.
    assert got["prediction"] == ["eins zwei drei", "Café zwei !", "eins eins eins X"]
    assert ask(client, [{"satz": texts[3]}]) == (
        422,
        [{"row": 0, "column": "satz", "detail": "expected 1 to 5 units, got 6"}],
    )


def test_what_stands_for_nothing_is_in_no_text(tmp_path: Path) -> None:
    own = WORDS | {"unit": r"\S+"}
    client = client_of(imported(tmp_path, *PAIRS["stepwise"], own))

    got = ask(client, instances(["two <pad> one", "x\ttwo"]))
    assert got["prediction"] == ["zwei eins eins", "X zwei"]


def test_units_around_a_text_count_in_no_limit(tmp_path: Path) -> None:
    around = VOCABULARY | {"before": ["h"], "after": ["<unk>"]}
    client = client_of(imported(tmp_path, *PAIRS["whole"], around, longest=4))

    got = ask(client, instances(["ab", "abcd", "abc"]))
    assert got["prediction"] == ["HABA", "HABC", "HABC"]  # 4 are written at most


# links


def test_links_name_what_names_do_not_say(tmp_path: Path) -> None:
    odd = stepwise(at="position", new="moved")
    with pytest.raises(WrongUse, match=r"nothing else feeds.*got 'last', 'position'"):
        imported(tmp_path, encoder(), odd)

    linked = imported(tmp_path, encoder(), odd, links=["position=at", "position=moved"])
    assert_answers(ask(linked, instances(TEXTS)))


def test_a_state_that_the_encoder_has_not_begins_with_zeros(tmp_path: Path) -> None:
    first = encoder()
    del first.graph.output[1]
    made = imported(tmp_path, first, stepwise())
    assert_answers(ask(made, instances(TEXTS)))


# refusals


def test_another_text_is_refused(tmp_path: Path) -> None:
    sample = lines(tmp_path / "in.txt", ["abc", "h"])
    expected = lines(tmp_path / "out.txt", ["ABC", "G"])
    with pytest.raises(Refusal, match="row 1: expected G, got H at text='h'"):
        imported(tmp_path, *PAIRS["whole"], sample=sample, expected=expected)
    assert not (tmp_path / "models").exists()


def test_every_mistake_of_a_vocabulary_and_of_names_is_named(tmp_path: Path) -> None:
    wrong = {
        "unit": "(",
        "input": ["a", "a", "bc"],
        "output": [],
        "start": "x",
        "longest": 0,
        "nfc": "yes",
        "colour": 1,
    }
    with pytest.raises(WrongUse) as raised:
        imported(tmp_path, encoder(), stepwise(at="position"), wrong, links=["at=at", "last=b"])
    for part in (
        "unknown members 'colour'",
        "'input': 'a' is there twice",
        "'output': expected a list of texts",
        "'unit': expected 'character', 'word' or a regular expression, got '('",
        "'longest': expected a whole number from 1 to 10000, got 0",
        "'nfc': expected true or false, got 'yes'",
        "--link: expected INPUT=TENSOR with an input of the decoder (last, position, memory), "
        "got 'at=at'",
        "--link: 'last': expected one of at, ids, memory, logits, new_at, got 'b'",
        "decoder: expected one input that nothing else feeds",
    ):
        assert part in raised.value.message, part


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"output": [*WRITTEN, "?"]}, "the decoder chooses from 11 units, and 'output' has 12"),
        ({"input": [*VOCABULARY["input"], *"ijkl"]}, "do not run with"),
    ],
)
def test_a_vocabulary_of_another_size_is_refused(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refusal, match=why):
        imported(tmp_path, *PAIRS["whole"], VOCABULARY | change)


def test_both_graphs_are_of_one_opset(tmp_path: Path) -> None:
    other = whole()
    other.opset_import[0].version -= 1
    with pytest.raises(Refusal, match=r"opset 17 of ai\.onnx, the decoder of 16"):
        imported(tmp_path, encoder(), other)


def endless() -> onnx.ModelProto:
    """A decoder that never writes the end, and takes a while for each step."""
    width = len(WRITTEN)
    favourite = np.zeros((1, width), np.float32)
    favourite[0, 3] = 1.0
    return model(
        [
            node("Cast", "last", "some", to=FLOAT),
            node("ReduceMax", "some", "number", keepdims=0),
            node("Mul", "slow number", "slower"),
            node("MatMul", "slower slow", "worked"),
            node("ReduceMax", "worked", "nothing", keepdims=0),
            node("Mul", "nothing zero", "none"),
            node("Shape", "last", "count"),
            node("Concat", "count width", "sizes", axis=0),
            node("Expand", "favourite sizes", "same"),
            node("Add", "same none", "logits"),
        ],
        [value("last", INT64, ("batch",)), value("memory", dims=("batch", "more", width))],
        [value("logits", dims=("batch", width))],
        {
            "slow": np.ones((200, 200), np.float32),
            "zero": np.array(0, np.float32),
            "width": np.array([width]),
            "favourite": favourite,
        },
    )


def test_a_loop_ends_at_the_longest_and_at_the_deadline(tmp_path: Path) -> None:
    made = imported(tmp_path, encoder(), endless(), longest=300)
    model = load_model(made.directory)
    table = validate_rows([["a"]] * 20, model.signature)
    assert model.run(validate_rows([["a"]], model.signature))["prediction"].tolist() == ["A" * 300]

    start = time.perf_counter()
    with deadline.watched(0.02):
        deadline.begin(start, 0.02)
        try:
            with pytest.raises(TookTooLong, match=r"no answer within 0\.02 seconds"):
                model.run(table)
        finally:
            deadline.end()


def test_rows_that_are_run_together_are_as_few_as_their_answers_are_long() -> None:
    feed = IdFeed(
        {
            "name": "ids",
            "columns": ["text"],
            "ids": {
                "unit": "character", "units": ["a"], "special": [], "unknown": None, "before": [],
                "after": [], "nfc": False, "longest": 1000, "cost": 90_000,
            },
        },
        (0, 0),
    )  # fmt: skip
    assert [feed.cost(length) for length in (1, 300, 1000)] == [90_000, 90_000, 1_000_000]


# the command


def test_the_command_imports_texts_of_every_form(tmp_path: Path) -> None:
    files = save_all(tmp_path, *PAIRS["whole"])
    lines(tmp_path / "in.txt", TEXTS)
    (tmp_path / "in.csv").write_text("text\n" + "\n".join(TEXTS), "utf-8")
    np.savez(tmp_path / "in.npz", text=np.array(TEXTS))
    wanted = [text for text, _ in EXPECTED]
    lines(tmp_path / "out.txt", wanted)
    (tmp_path / "out.csv").write_text("prediction\n" + "\n".join(wanted), "utf-8")
    np.savez(tmp_path / "out.npz", prediction=np.array(wanted))
    for form in ("txt", "csv", "npz"):
        result = invoked(
            "import", files["encoder"], "--decoder", files["decoder"],
            "--vocabulary", files["vocabulary"], "--name", "net",
            "--models", tmp_path / form, "--sample", tmp_path / f"in.{form}",
            "--expected", tmp_path / f"out.{form}",
        )  # fmt: skip
        assert result.exit_code == 0, result.stderr
        assert f"rows        {len(TEXTS)} with expected answers: none differs" in result.stdout
    manifests = [
        json.loads((tmp_path / f / "net/1/manifest.json").read_bytes())
        for f in ("txt", "csv", "npz")
    ]
    assert manifests[0] == manifests[1] == manifests[2]


def test_options_that_do_not_go_together_are_named_at_once(tmp_path: Path) -> None:
    result = invoked(
        "import", tmp_path / "x.onnx", "--name", "net", "--longest", "0", "--link", "a=b",
        "--expected", "out.txt",
    )  # fmt: skip
    assert result.exit_code == 2
    for part in (
        "--expected: answers without their rows",
        "--longest: needs --decoder",
        "--link: needs --decoder",
        "--longest: expected a whole number from 1 to 10000, got 0",
    ):
        assert part in result.stderr, part


def test_bad_rows_among_texts_of_all_lengths_shift_no_answer(client: Any) -> None:
    """Rows are grouped by length, some are refused before and some within the model."""
    bad: list[Any] = ["", "a" * 13, 3, None]
    cells = [cell for text, wrong in zip(TEXTS, bad * 4, strict=False) for cell in (wrong, text)]

    got = client.post("/predict?on_error=null", json={"instances": [[cell] for cell in cells]}).json

    assert got["prediction"] == [word for text, _ in EXPECTED for word in (None, text)]
    assert [score is None for score in got["score"]] == [True, False] * len(TEXTS)
    assert [each["row"] for each in got["errors"]] == list(range(0, 2 * len(TEXTS), 2))
    refused = client.post("/predict", json={"instances": [[cell] for cell in cells]}).json
    assert {each["row"] for each in refused["errors"]} <= set(range(0, 2 * len(TEXTS), 2))
