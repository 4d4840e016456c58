"""A column is known by its name with spaces around it, too, and in each of Unicode's forms."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.linear_model import LinearRegression

from onnxlet.convert.sources.source import Source
from tests.conftest import Client, app_of, client_of
from tests.kept_builds import kept_builds

SHOP = {"Preis (€)": 12.5, "count": 4, "new": True, "色": "红"}
PATH = "/models/shop/predict"


@pytest.mark.parametrize("spelt", [" {} ", "\t{}", "{}\u00a0"])
def test_spaces_around_a_name_are_no_part_of_it(
    spelt: str, flask_client: Callable[..., Client]
) -> None:
    client = flask_client()
    expected = client.post(PATH, [SHOP])
    row = {spelt.format(name): cell for name, cell in SHOP.items()}
    header = ",".join(spelt.format(name) for name in SHOP)

    assert expected.status == 200
    assert client.post(PATH, [row]).json() == expected.json()
    table = f"{header}\n12.5,4,true,红\n"
    assert client.post(PATH, table.encode(), kind="text/csv").json() == expected.json()


def test_marks_are_not_sorted_in_a_long_name(flask_client: Callable[..., Client]) -> None:
    """Where it took the square of their number, this would not end."""
    answer = flask_client().post(PATH, [SHOP | {"e" + "\u0301\u0327" * 200_000: 1}])
    assert answer.status == 422


def test_two_columns_of_one_name_are_not_one(flask_client: Callable[..., Client]) -> None:
    answer = flask_client().post(PATH, [SHOP | {" count": 5}])
    assert answer.status == 422
    assert [each["detail"] for each in answer.json()["errors"]] == [
        "unknown column; did you mean 'count'?"
    ]


def test_names_of_a_frame_s_own_and_those_without_their_spaces(tmp_path: Path) -> None:
    import pandas as pd

    names = [" Größe ", "b"]
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]], columns=names)
    model = LinearRegression().fit(frame, [1.0, 2.0, 4.0])
    client = client_of(app_of(kept_builds({"sizes": Source(model, frame)}, tmp_path)))
    expected = client.post("/predict", [{" Größe ": 1.0, "b": 2.0}])
    for name in ("Größe", unicodedata.normalize("NFD", "Größe")):
        assert client.post("/predict", [{name: 1.0, "b": 2.0}]).json() == expected.json()
