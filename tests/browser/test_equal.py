"""The packaged function answers as the function itself, which is proven to answer as scikit-learn.

It runs in Node, by the very files that browsers get. One folder is packaged; the models are put
into its function afterwards, as many as there are.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.examples.__main__ import make
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.settings import Settings
from tests.browser.engines import EXACT, Engine, compared, engine_of, largest_of, packaged
from tests.conftest import quiet
from tests.convert.parity.gate_models import MODELS
from tests.function import near
from tests.kept_builds import kept, kept_builds
from tests.pipelines import rarer  # noqa: F401 - its animals come into the zoo
from tests.pipelines.test_zoo import QUICK, _spoilt
from tests.pipelines.zoo import ZOO

pytestmark = pytest.mark.browser

GALLERY = ("house_prices", "sentiment_chinese", "sentiment_english")
MORE = (
    "churn", "loan_default", "music_for_you", "sea_temperature", "sensor_anomalies",
    "works_like_this_one",
)  # fmt: skip
SENTIMENT = ("sentiment-chinese", "sentiment-english")
PICTURES = "gate-images"  # Pillow has no build for browsers
TREES = ("gate-tree", "gate-scaled-tree", "gate-isolation-forest", "gate-gradient-boosting")
# Where numbers are what is left of larger ones that cancel, as many digits as scikit-learn has.
CANCELLED = {"gate-deviations-near-zero": 1e-4}
AT_ONCE = 250  # rows of a request
SHARE = 0.8  # of the pipelines, that run at least
STRINGS = 2000


class Asked(NamedTuple):
    """The engine, and the function itself."""

    engine: Engine
    models: Path
    client: Any
    rows: Mapping[str, Sequence[Any]]  # further ones than the golden rows

    def model(self, name: str) -> Model:
        return load_model(self.models / name / "1")

    def both(self, name: str, rows: Sequence[Any], query: str = "") -> list[tuple[int, Any]]:
        """Status and answer, there and here."""
        path, body = f"/models/{name}/predict", json.dumps({"instances": rows}).encode()
        reply = self.client.post(f"{path}?{query}", data=body, content_type="application/json")
        return [self.engine.ask(path, body, query), (reply.status_code, reply.get_json())]


@pytest.fixture(scope="module")
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One engine with all models: with `--long` all pipelines and examples."""
    whole = bool(request.config.getoption("long"))
    models, rows = tmp_path_factory.mktemp("models"), dict[str, Sequence[Any]]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that end early
        sources = {_name("gate", each): MODELS[each]() for each in MODELS}
        for each in sorted(ZOO if whole else QUICK):
            sources[_name("zoo", each)] = Source(*ZOO[each]())
    sources |= {"categories": _categories(), "products": near.sources()["products"]}
    kept_builds(sources, models)
    for name, source in sources.items():
        if name.startswith("zoo-"):
            inputs, X = read_inputs(source.X_test)
            manifest = json.loads((models / name / "1" / "manifest.json").read_bytes())
            rows[name] = _spoilt(inputs, inputs.rows(X), manifest)
    for example in (*GALLERY, *(MORE if whole else ())):
        built = kept(f"example-{example}", partial(_make, example))
        shutil.copytree(built, models, dirs_exist_ok=True)
    settings = Settings(models=models, owned=True)
    client = create_app(models, settings=settings, log=lambda entry: None).test_client()
    with engine_of(packaged("categories", models), models) as engine:
        yield Asked(engine, models, client, rows)


def _name(kind: str, name: str) -> str:
    return f"{kind}-{name}".replace("_", "-").replace(" ", "-").lower()


def _make(example: str, into: Path) -> None:
    make(example, into, quiet)


def _categories() -> Source:
    """Texts that the graph itself reads, and labels of which one is empty."""
    X = pd.DataFrame({"kind": ["a", "ü", "専門", "👩‍👩‍👧"] * 40, "size": np.arange(160.0)})
    y = np.array(["", "größer", "専門", "👩‍👩‍👧 mehr"] * 40, dtype=object)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough"
    )
    return Source(make_pipeline(columns, LogisticRegression()).fit(X, y), X, y)


def test_what_does_not_run_is_refused_with_the_reason(asked: Asked) -> None:
    assert asked.engine.faults.keys() == {PICTURES}
    assert "NumPy" in asked.engine.faults[PICTURES][0]


def test_most_pipelines_run(asked: Asked) -> None:
    runs = [name in asked.engine.served for name in asked.rows]
    assert len(runs) >= len(QUICK)
    assert sum(runs) >= SHARE * len(runs)


def test_labels_are_equal_and_numbers_as_far_as_they_have_digits(asked: Asked) -> None:
    """Golden rows, and those that the zoo spoils, wrong ones among them."""
    wrong, count = list[Any](), 0
    for name in asked.engine.served:
        model = asked.model(name)
        assert model.directory is not None
        golden = json.loads((model.directory / "golden.json").read_bytes())["instances"]
        every = [*golden, *asked.rows.get(name, [])]
        for start in range(0, len(every), AT_ONCE):
            rows = every[start : start + AT_ONCE]
            there, here = asked.both(name, rows, "on_error=null")
            assert (there[0], here[0]) == (200, 200), (name, there, here)
            assert there[1].get("errors") == here[1].get("errors"), name
            found = compared(model, there[1], here[1])
            most = CANCELLED.get(name, 0.0)
            wrong += [
                (name, output, each)
                for output, each in found.items()
                if not each.is_equal and (each.unlike or each.largest > most)
            ]
            if name in TREES:
                outputs = [output.name for output in model.signature.outputs]
                wrong += [(name, each) for each in outputs if there[1][each] != here[1][each]]
            count += len(rows)
    assert not wrong
    assert count > AT_ONCE * len(asked.rows)


ODD = (
    "\u0301\u0308\u200d\u200c\ufe0f\u20e3",  # combining marks, joiners, selectors
    "👩‍👩‍👧🏽🇩🇪☕️😀🫠",
    "שָׁלוֹם مرحبًا\u202e\u2066\u200f",
    "很好的房间專門、。「」ｆｕｌｌ",
    "\x01\x07\x0b\x1b\x1f\x7f\x85\u2028\ufeff\ufffd",
    "İıſßΣςﬁǅ½²Ⅷ",
    "नमस्ते 한국어 ᄒ\u1161ᆫ ไทย",
    "\x00",
    "good bad not 123 don't a.b_c",
    " \t\n\u00a0\u3000",
)


def _odd_strings() -> Iterator[str]:
    """Of all these, mixed; and from anywhere in Unicode 14, which the oldest Python has."""
    random = Random(29)  # noqa: S311 - the same each time
    marks = "".join(ODD)
    for number in range(STRINGS):
        size = 20_000 if number % 200 == 0 else random.randrange(60)
        kind = ODD[number % len(ODD)] if number % 3 else marks
        yield "".join(random.choices(kind, k=size))


@pytest.mark.parametrize("name", SENTIMENT)
def test_odd_strings_are_read_alike(name: str, asked: Asked) -> None:
    strings = list(_odd_strings())
    assert len(set(strings)) > STRINGS * 0.9
    for start in range(0, STRINGS, AT_ONCE):
        rows = [[text] for text in strings[start : start + AT_ONCE]]
        there, here = asked.both(name, rows, "on_error=null")
        assert (there[0], here[0]) == (200, 200), there
        assert there[1].get("errors") == here[1].get("errors")
        found = compared(asked.model(name), there[1], here[1])
        assert all(each.is_equal for each in found.values()), found


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff", 7, ["a"], "\uffff\ufffe"])
def test_what_is_no_text_is_refused_alike(text: Any, asked: Asked) -> None:
    for name, row in ((SENTIMENT[1], [text]), ("categories", [text, 1.0])):
        there, here = asked.both(name, [row])
        assert there == here
        assert there[0] == 422


@pytest.mark.parametrize(
    ("name", "member"),
    [("house-prices", "interval"), ("categories", "set"), ("sentiment-english", "set")],
)
def test_intervals_and_sets_are_equal(name: str, member: str, asked: Asked) -> None:
    model = asked.model(name)
    assert model.directory is not None
    rows = json.loads((model.directory / "golden.json").read_bytes())["instances"]
    for some in ([*rows, [7]], [[7]]):
        there, here = asked.both(name, some, "on_error=null&coverage=0.8")
        assert (there[0], here[0]) == (200, 200), there
        assert largest_of(there[1][member], here[1][member]) <= EXACT
        assert there[1][member][-1] is None


def test_odd_categories_and_labels(asked: Asked) -> None:
    odd = (text for text in _odd_strings() if "\0" not in text)
    kinds = ["a", "ü", "専門", "👩‍👩‍👧", "👩", "", *odd]
    rows = [[kind, float(number)] for number, kind in enumerate(kinds[:AT_ONCE])]
    there, here = asked.both("categories", rows)
    assert (there[0], here[0]) == (200, 200), there
    found = compared(asked.model("categories"), there[1], here[1])
    assert all(each.is_equal for each in found.values()), found
    assert len(set(there[1]["prediction"])) == 4


def test_a_zero_that_the_graph_would_read_is_refused_where_it_is(asked: Asked) -> None:
    """The web's ONNX Runtime takes texts that end at it."""
    rows = [["a", 1.0], ["a\0b", 2.0], ["\0", 3.0]]
    there, here = asked.both("categories", rows)
    assert (there[0], here[0]) == (422, 200)
    assert [(each["row"], "U+0000" in each["detail"]) for each in there[1]["errors"]] == [
        (1, True), (2, True),
    ]  # fmt: skip
    there, here = asked.both("categories", rows, "on_error=null")
    assert there[1]["prediction"] == [here[1]["prediction"][0], None, None]
