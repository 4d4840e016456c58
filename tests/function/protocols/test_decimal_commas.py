"""CSV whose media type says that its numbers have decimal commas; others have points."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Client

SHOP = 'Preis (€),count,new,色\n"1.335,97",4,true,红\n"-0,5",1.000,false,蓝\n'
PLAIN = "Preis (€),count,new,色\n1335.97,4,true,红\n-0.5,1000,false,蓝\n"
COMMA = "text/csv; header=present; decimal=comma"


@pytest.mark.parametrize("path", ["/models/shop/predict", "/invocations"])
def test_numbers_are_read_with_commas(path: str, flask_client: Callable[..., Client]) -> None:
    client = flask_client(default_model="shop")
    expected = client.post(path, PLAIN.encode(), kind="text/csv")
    answer = client.post(path, SHOP.encode(), kind=COMMA)
    assert (answer.status, answer.json()) == (200, expected.json())
    assert client.post(path, SHOP.encode(), kind="text/csv").status in (400, 422)
    assert (
        client.post(path, PLAIN.encode(), kind="text/csv; header=present; decimal=point").status
        == 200
    )


@pytest.mark.parametrize("cell", ["1,5,0", "1.5", "1.33,5", "x", "12.34"])
def test_what_is_no_such_number_is_refused(cell: str, flask_client: Callable[..., Client]) -> None:
    body = SHOP.replace("-0,5", cell).encode()
    answer = flask_client().post("/models/shop/predict", body, kind=COMMA)
    assert answer.status == 422
    [problem] = answer.json()["errors"]
    assert (problem["row"], problem["column"]) == (1, "Preis (€)")


def test_another_decimal_is_none(flask_client: Callable[..., Client]) -> None:
    answer = flask_client().post("/models/shop/predict", b"a\n1\n", kind="text/csv; decimal=dot")
    assert (answer.status, answer.json()["detail"]) == (
        415,
        "decimal=dot: expected point or comma",
    )
