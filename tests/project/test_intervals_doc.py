"""docs/how-to/intervals.md: its requests are answered as shown, its figures are the code's."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.directory import conformal
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.aws import native_events
from tests.conftest import ROOT, Client
from tests.function.protocols.test_protocols import PAIRS as OF_PROTOCOLS
from tests.function.protocols.test_protocols import close
from tests.project.test_device_docs import blocks
from tests.project.test_train_doc import table

HOW_TO = (ROOT / "docs" / "how-to" / "intervals.md").read_text()
PAIRS = re.findall(r"^```http\n(.*?)^```\n\n```json\n(.*?)^```", HOW_TO, re.M | re.S)
REL = 1e-5  # other versions of scikit-learn and NumPy fit the forest a little differently
EVENT, SHOWN = json.loads(blocks(HOW_TO, "json")[-1]), json.loads(PAIRS[0][1])


@pytest.mark.parametrize(("request_text", "shown"), PAIRS)
def test_a_request_is_answered_as_shown(client: Client, request_text: str, shown: str) -> None:
    head, _, body = request_text.partition("\n\n")
    method, path = head.split()
    assert method == "POST"

    answer = client.post(path, body.encode())
    assert (answer.status, answer.json()) == (200, close(json.loads(shown), REL))


def test_an_invocation_is_answered_like_the_request(models: Any) -> None:
    service = create_app(models).extensions[SERVICE]
    context = SimpleNamespace(aws_request_id="a")
    assert native_events.invoke(service, EVENT, context, lambda entry: None) == close(SHOWN, REL)


def test_the_rows_that_are_needed() -> None:
    for coverage, rows in table(HOW_TO, "coverage"):
        exact = Fraction(coverage)
        fewest = math.ceil(exact / (1 - exact))
        assert int(rows) == max(fewest, conformal.FEWEST_ROWS)


def test_the_limits_are_those_of_the_code() -> None:
    written = " ".join(HOW_TO.split())
    assert f"with fewer than {conformal.FEWEST_ROWS} rows of it" in written
    assert f"more than {conformal.MOST_OUTPUTS} outputs" in written
    assert f"with at least {conformal.ROWS_FOR_ERRORS:,} held-out rows" in written
    assert f"of at least {conformal.ROWS_IN_BIN} rows each" in written
    assert "at most one of five that follow each other" in written
    assert conformal.APART == 5


@pytest.mark.parametrize("rows", [1000, 1733, 5000, 20_000, 300_000])
def test_what_the_ranks_that_are_left_out_add(rows: int) -> None:
    ranks = np.array(conformal.stored_ranks(rows))
    wanted = np.arange(math.ceil(0.5 * (rows + 1)), rows + 1)
    taken = ranks[np.searchsorted(ranks, wanted)]
    assert (
        "adds at most 0.009 to coverages from 0.5, and nothing to 0.5, 0.8, 0.9 and 0.95" in HOW_TO
    )
    assert np.max(taken - wanted) / (rows + 1) <= 0.009


def test_the_spread_of_a_share() -> None:
    assert "with 100 rows and 0.9 by 3 percentage points" in HOW_TO
    assert math.sqrt(0.9 * 0.1 / 100) == pytest.approx(0.03)


def test_the_reference_shows_it_in_two_protocols() -> None:
    assert sum('"coverage"' in request for request, *_ in OF_PROTOCOLS) == 2
