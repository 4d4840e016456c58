"""Dates that pandas coerces are read as it reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from onnxlet.function.inputs.dates import parse_date_or_missing


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


def test_now_is_read_anew_each_time() -> None:
    read = parse_date_or_missing("%Y-%m-%d %z")
    first, second = read("now"), read("now")

    assert first is not None
    assert second is not None
    assert first < second
    assert abs(datetime.now(UTC).replace(tzinfo=None) - second) < timedelta(minutes=1)
