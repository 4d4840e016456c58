"""Dates that pandas coerces are read as it reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from onnxlet.function.inputs.dates import parse_date_or_missing, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01 +0200", datetime(2023, 12, 31, 22)),
        ("2024-01-01 +02:00:30", datetime(2023, 12, 31, 22)),
        ("2024-01-01 -02:00:30", datetime(2024, 1, 1, 2)),
        ("Now", None),
    ],
)
def test_an_offset_is_read_without_its_seconds(text: str, expected: datetime | None) -> None:
    assert parse_date_or_missing("%Y-%m-%d %z")(text) == expected


@pytest.mark.parametrize(
    ("text", "form", "held"),
    [
        ("1700-01-01", None, True),
        ("1699-12-31", None, False),
        ("1699-12-31T23:00:00-02:00", None, True),
        ("1700-01-01T00:30:00+01:00", None, False),
        ("2250-12-31T23:59:59.999999", None, True),
        ("2251-01-01", None, False),
        ("31.12.2250", "%d.%m.%Y", True),
        ("01.01.2251", "%d.%m.%Y", False),
        ("31.12.1699", "%d.%m.%Y", False),
    ],
)
def test_dates_that_float64_and_pandas_hold_are_read(
    text: str, form: str | None, held: bool
) -> None:
    assert (read(text, form, offset="T" in text and text[-6] in "+-") is not None) == held


def test_now_is_read_anew_each_time() -> None:
    read = parse_date_or_missing("%Y-%m-%d %z")
    first, second = read("now"), read("now")

    assert first is not None
    assert second is not None
    assert first < second
    assert abs(datetime.now(UTC).replace(tzinfo=None) - second) < timedelta(minutes=1)
