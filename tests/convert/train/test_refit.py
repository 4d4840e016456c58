"""A model fitted on all rows: its answers, what is promised of them, when it is not served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.about import PROMISED
from onnxlet.convert.errors import Refusal
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.train import measured as measuring
from onnxlet.convert.train import refit
from onnxlet.convert.train import search as searching
from onnxlet.convert.train.ensemble import fitted
from onnxlet.convert.train.preparing import Options
from onnxlet.convert.train.refit import ModelDestination, model_files
from onnxlet.convert.train.training import Trained, summary_lines, train
from tests.convert.train.candidates import Here

pytestmark = pytest.mark.training  # whole trainings: minutes, all together


def table(rows: int = 300, seed: int = 0, *, numbers: bool = True) -> pd.DataFrame:
    """Two columns, and a target that depends on them but for noise."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 2)), columns=["a", "b"]).round(4)
    y = 3 * frame["a"] + np.abs(frame["b"]) + random.normal(size=rows) / 2
    return frame.assign(target=y.round(4) if numbers else np.where(y > 0, "yes", "no"))


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    """Fits in this process, and a second of refits for the report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "local_fits", Here)
        patch.setattr(measuring, "Measured", partial(Measured, seconds=1.0))
        yield


def trained(folder: Path, frame: pd.DataFrame, **options: Any) -> tuple[Trained, list[str]]:
    said: list[str] = []
    wanted = Options(**{"trials": 3, **options})
    return train(frame, "target", wanted, ModelDestination("m", folder), said.append), said


class Both(NamedTuple):
    """A training that ends with a refit, and the same one that does not."""

    again: Trained
    before: Trained
    said: list[str]  # by the first


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Both]:
    """Of numbers, or of labels."""

    @cache
    def trained_both(numbers: bool) -> Both:
        folder, frame = tmp_path_factory.mktemp("both"), table(numbers=numbers)
        again, said = trained(folder / "again", frame)
        return Both(again, trained(folder / "before", frame, refit=False)[0], said)

    return trained_both


def findings(what: Trained) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((what.built.directory / "report.json").read_text())
    return found


@pytest.mark.parametrize("numbers", [True, False])
def test_it_has_learned_from_all_rows_and_promises_what_was_measured_before(
    both: Callable[[bool], Both], numbers: bool
) -> None:
    again, before, said = both(numbers)
    assert [t.candidate.name for t, _ in again.chosen] == [
        t.candidate.name for t, _ in before.chosen
    ]

    # Fitted in another way than it was: on the whole table, in the order that its parts had.
    prepared = again.prepared
    order = np.concatenate([prepared.splits.train, prepared.splits.test])
    X, y = prepared.X.iloc[order].reset_index(drop=True), prepared.y[order]
    task = prepared.table.target.task
    own = fitted(again.chosen, X, y, task, prepared.metric, 0, again.served.combined.threshold)
    new = table(50, seed=1).drop(columns="target")
    built = again.built
    model = ProvenModel(built.directory, "m", built.version, built.manifest)
    answer = model.answer(new.to_dict("records"))
    if numbers:
        assert answer["prediction"] == pytest.approx(own.estimator.predict(new), rel=1e-5)
        earlier = before.served.combined.estimator.predict(new)
    else:
        expected = own.estimator.predict_proba(new)
        assert np.array(answer["probabilities"]) == pytest.approx(expected, abs=1e-5)
        earlier = before.served.combined.estimator.predict_proba(new)[:, 1]
    other = answer["prediction"] if numbers else np.array(answer["probabilities"])[:, 1]
    assert np.abs(np.array(other) - earlier).max() > 1e-3  # it is another model

    manifests = again.built.manifest, before.built.manifest
    assert manifests[0]["refitted"] == {"rows": 300}
    assert "refitted" not in manifests[1]
    assert set(PROMISED) <= set(manifests[1])
    for promised in PROMISED:
        assert manifests[0][promised] == manifests[1][promised], promised
    assert manifests[0]["statistics"]["rows"] == 300
    assert manifests[1]["statistics"]["rows"] == 240
    assert [line for line in said if line == "fitting it on all 300 rows"]


def test_its_golden_rows_are_called_replayed_and_its_report_says_whose_the_scores_are(
    both: Callable[[bool], Both],
) -> None:
    again, before, _ = both(True)
    lines = ["\n".join(summary_lines(each)) for each in (again, before)]
    assert "60 replayed, " in lines[0]
    assert "60 held-out, " in lines[1]
    assert "learned     from all 300 rows" in lines[0]
    assert "learned     from 240 rows, not from the 60 it was tested on: as --no-refit" in lines[1]
    found, earlier = findings(again), findings(before)
    for member in ("scores", "residuals", "importance"):
        assert found[member] == earlier[member], member
    assert found["data"]["refitted_rows"] == 300
    assert (found["parity"]["replayed"], earlier["parity"]["replayed"]) == (True, False)
    pages = [(each.built.directory / "report.html").read_text("utf-8") for each in (again, before)]
    assert "fitted again on all" in pages[0]
    assert "Rows replayed, which it has learned from" in pages[0]
    assert "It has not learned from the test rows: as --no-refit asks" in pages[1]
    assert "Rows it had not learned from" in pages[1]


def test_the_same_seed_and_trials_give_the_same_bytes(both: Callable[[bool], Both]) -> None:
    again = both(True).again
    assert again.built.new
    once_more, _ = trained(again.built.directory.parent.parent, table())
    assert not once_more.built.new


def raising(*given: Any) -> Any:
    raise ValueError("it diverges on purpose")


def answering_badly(*given: Any) -> Any:
    """Fitted on targets that are not these rows'."""
    chosen, X, y, *rest = given
    return fitted(chosen, X, np.random.default_rng(0).permutation(y), *rest)


def refusing(*given: Any) -> Any:
    if len(given) > 4:  # the model as it was measured is proven without a manifest of another
        raise Refusal("no conversion answers alike", "")
    return model_files(*given)


@pytest.mark.parametrize(
    ("replaced", "by", "why"),
    [
        ("fitted", raising, "fitting on all rows raised ValueError: it diverges on purpose"),
        ("fitted", answering_badly, "it answers the test rows worse for having learned from them"),
        ("model_files", refusing, "it can't be served: no conversion answers alike"),
    ],
)
def test_where_the_refit_can_not_be_trusted_the_measured_model_is_served(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    replaced: str,
    by: Callable[..., Any],
    why: str,
) -> None:
    monkeypatch.setattr(refit, replaced, by)
    what, said = trained(tmp_path, table())
    assert_kept(what, said, why)


def test_rows_of_an_own_test_set_are_not_learned_from(tmp_path: Path) -> None:
    what, said = trained(tmp_path, table(), test=table(60, seed=3))
    assert_kept(what, said, "rows of --test are for testing only")


def test_few_rows_of_a_large_table_are_not_worth_a_fit_but_the_latest_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "WORTH", 0.3)  # as if 60 were few of 300
    what, said = trained(tmp_path / "random", table())
    assert_kept(what, said, "they are only 20.0% of all rows")
    day = pd.date_range("2024-01-01", periods=300).strftime("%Y-%m-%d")
    history, _ = trained(tmp_path / "history", table().assign(day=day))
    assert history.built.manifest["refitted"] == {"rows": 300}
    assert history.built.manifest["conformal"]["adaptive"]


def test_a_label_that_only_test_rows_have_is_not_learned(tmp_path: Path) -> None:
    frame = table(120, numbers=False).assign(day=pd.date_range("2024-01-01", periods=120))
    frame.loc[118:, "target"] = "perhaps"
    what, said = trained(tmp_path, frame, time="day")
    assert_kept(what, said, "test rows have labels that no training row has")


def assert_kept(what: Trained, said: list[str], why: str) -> None:
    assert "refitted" not in what.built.manifest
    assert "replayed" not in what.built.manifest["parity"]
    assert [line for line in said if line.startswith("note: ") and why in line]
    assert why in findings(what)["data"]["unrefitted"]
    assert why in "\n".join(summary_lines(what))
