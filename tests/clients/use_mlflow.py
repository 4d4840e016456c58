"""MLflow's ScoringServerClient, which names no model: the server's default answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from tests.clients.given import ADDRESS, ANSWERS, DEFAULT, ROWS

HOST, PORT = ADDRESS.split(":")
CLIENT = ScoringServerClient(HOST, PORT)
NATIVE = ANSWERS[DEFAULT]
EXPECTED = NATIVE["prediction"]
FRAME = pd.DataFrame(ROWS[DEFAULT])


def test_it_is_there() -> None:
    CLIENT.wait_server_ready(timeout=60)
    CLIENT.ping()
    assert CLIENT.get_version().split(".")[0] == "3"


def test_a_frame() -> None:
    response = CLIENT.invoke(FRAME)

    assert dict(response) == {"predictions": EXPECTED}
    assert response.get_predictions()[0].tolist() == EXPECTED
    assert response.get_predictions("ndarray").tolist() == EXPECTED


def test_arrays_and_lists() -> None:
    rows: list[Any] = FRAME.astype(object).where(FRAME.notna(), None).to_numpy().tolist()

    assert dict(CLIENT.invoke(np.array(rows, object))) == {"predictions": EXPECTED}
    assert dict(CLIENT.invoke(rows)) == {"predictions": EXPECTED}


def test_columns_by_name() -> None:
    named = isinstance(ROWS[DEFAULT][0], dict)
    columns = {name: FRAME[name].to_numpy() for name in FRAME}
    try:
        got = CLIENT.invoke(columns if named else {"input": FRAME.to_numpy()})
    except ValueError as error:  # mlflow 3.17.2 can't write a dictionary of arrays
        pytest.skip(str(error))

    assert dict(got) == {"predictions": EXPECTED}


def test_a_body_of_ones_own() -> None:
    assert dict(CLIENT.invoke(json.dumps({"instances": ROWS[DEFAULT]}))) == {
        "predictions": EXPECTED
    }


def test_all_outputs() -> None:
    got = CLIENT.invoke(FRAME, params={"outputs": "all"})

    if "probabilities" not in NATIVE:
        assert dict(got) == {"predictions": EXPECTED}
        return
    assert got["classes"] == NATIVE["classes"]
    assert [row["probabilities"] for row in got["predictions"]] == NATIVE["probabilities"]
    assert got.get_predictions()["prediction"].tolist() == EXPECTED


def test_bad_rows() -> None:
    bad = FRAME.astype(object)
    bad.iloc[1, 0] = "x" if not isinstance(bad.iloc[1, 0], str) else 1

    with pytest.raises(Exception, match=r"error code 400.*BAD_REQUEST.*row 1, column"):
        CLIENT.invoke(bad)
    kept = CLIENT.invoke(bad, params={"on_error": "null"})
    assert kept["predictions"] == [EXPECTED[0], None, *EXPECTED[2:]]
    assert [problem["row"] for problem in kept["errors"]] == [1]


def test_parameters_that_are_none() -> None:
    with pytest.raises(Exception, match=r"error code 400.*temperature"):
        CLIENT.invoke(FRAME, params={"temperature": 1.0})
