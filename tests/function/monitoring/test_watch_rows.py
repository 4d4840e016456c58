"""From how many rows on figures are shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Client


@pytest.mark.parametrize(
    ("requests", "rows"),
    [([99], 0), ([99, 1], 100), ([40, 40, 40], 120), ([600], 600), ([100, 99], 100)],
)
def test_a_hundred_are_enough(
    flask_client: Callable[..., Client], requests: list[int], rows: int
) -> None:
    client = flask_client(owned=True)
    for size in requests:
        answer = client.post("/models/iris/predict", {"instances": [[5.1, 3.5, 1.4, 0.2]] * size})
        assert answer.status == 200
        got = client.get("/models/iris/drift").json()
    assert (got["rows"], got["window"]) == (rows, rows)
