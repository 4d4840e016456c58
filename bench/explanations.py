"""Whole explanations against `session.run` of the rows that they evaluate, taking turns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import orjson

from bench.models import breast_cancer_train
from bench.report import Line, comparisons
from bench.serving import Fitted, environ_for

EXAMPLES = Path(__file__).resolve().parent.parent / "convert" / "examples"
TARGET = 1.5
SECONDS, FEWEST_ROUNDS = 3.0, 5  # for each line
ABOUT = """`POST /models/N/explain` from body to answer, with what it asks for left as it is,
against the same calls of `session.run` with the same feeds: the least that these values can cost.
The background is made up: 50 rows, one where there is only text.
"""


class Case(NamedTuple):
    """What is explained.

    Attributes:
        what: it is.
        model: its name.
        instances: of which one and ten are explained.
    """

    what: str
    model: str
    instances: list[Any]


def section(models: Path, fitted: Fitted) -> str:
    """Build what is missing, measure, and return the section as Markdown."""
    cases = list(_cases(models, fitted))
    lines = [line for case in cases for rows in (1, 10) for line in _lines(models, case, rows)]
    return f"{ABOUT}\n{comparisons('session.run', lines)}"


def _cases(models: Path, fitted: Fitted) -> Iterator[Case]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from onnxlet.convert.build import build
    from onnxlet.convert.sources.source import Source, load_source

    cancer = fitted["array"][1]
    X, y = breast_cancer_train()
    eight = make_pipeline(StandardScaler(), LogisticRegression()).fit(X.to_numpy()[:, :8], y)
    build(Source(eight, cancer[:, :8]), "eight", models, lambda line: None)
    loans = load_source(f"{EXAMPLES / 'loan_default.py'}:build")
    build(loans, "loans", models, lambda line: None)
    clean = loans.X_test.dropna()[:10]
    yield Case("logistic regression, 8 columns, exact", "eight", cancer[:10, :8].tolist())
    yield Case("logistic regression, 30 columns", "array", cancer[:10].tolist())
    yield Case("forest of 200 trees, 30 columns", "forest", cancer[:10].tolist())
    yield Case("9 numbers and 4 categories, pipeline", "loans", clean.values.tolist())
    yield Case("text, tf-idf of words and pairs", "texts", [[t] for t in fitted["texts"][1][:10]])


class _Recording:
    """A session that keeps what it is run with."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls: list[tuple[list[str], dict[str, Any]]] = []

    def run(self, names: list[str], feeds: Mapping[str, Any], *options: Any) -> Any:
        """Keep a copy of the feeds, which are written over by the next."""
        self.calls.append((list(names), {k: np.array(v) for k, v in feeds.items()}))
        return self._session.run(names, feeds, *options)

    def again(self) -> None:
        """The same runs, and nothing else."""
        for names, feeds in self.calls:
            self._session.run(names, feeds)


def _taking_turns(calls: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """The median time of each call, in milliseconds, of as many as there is time for."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times["ours"]) < FEWEST_ROUNDS:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(values) for name, values in times.items()}


def _lines(models: Path, case: Case, rows: int) -> Iterator[Line]:
    from onnxlet.function.app import SERVICE, create_app
    from onnxlet.function.explanation import route
    from onnxlet.function.messages import Request

    os.environ.update(environ_for(models, case.model))
    service = create_app(models).extensions[SERVICE]
    body = orjson.dumps({"instances": case.instances[:rows], "seconds": route.MOST_SECONDS})

    def explain() -> dict[str, Any]:
        reply = route.answer(service, Request(body, "application/json"), case.model)
        explained: dict[str, Any] = orjson.loads(reply.body)
        return explained

    explained = explain()
    model = service.repository.choose(case.model)
    session = model._session
    recording = model._session = _Recording(session)
    explain()
    model._session = session
    calls: dict[str, Callable[[], Any]] = {"ours": explain, "theirs": recording.again}
    t = _taking_turns(calls)
    evaluated = f"{explained['evaluations']:,} rows evaluated"
    yield Line(
        f"{case.what}, {rows} row{'s' if rows > 1 else ''} explained, {evaluated}",
        f"{t['ours']:,.2f} ms",
        f"{t['theirs']:,.2f} ms",
        t["ours"] / t["theirs"],
        TARGET,
    )
