"""Processes whose clock is wrong and jumps, by Debian's faketime; monotonic time goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import lacking

RIGHT, IN_1970, IN_2040 = 0, 1970, 2040
PLACES = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")


def library() -> str:
    """Where faketime is; without it the test is skipped, or fails in CI."""
    for place in map(Path, PLACES):
        for pattern in ("faketime/libfaketimeMT.so.1", "*/faketime/libfaketimeMT.so.1"):
            for found in place.glob(pattern):
                return str(found)
    lacking("faketime is not here (Debian: apt-get install faketime)")


class WrongClock:
    """A clock for processes that are started with `environ`.

    Args:
        folder: for a file that it is set by.
        year: that it says at first; RIGHT for the right time.
    """

    def __init__(self, folder: Path, year: int = RIGHT) -> None:
        self._file = folder / "clock"
        self.environ = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.say(year)

    def say(self, year: int) -> None:
        """Have it jump, in the middle of what runs."""
        wanted = datetime(year, 3, 1, 12, tzinfo=UTC) if year else datetime.now(UTC)
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{(wanted - datetime.now(UTC)).total_seconds():+.0f}\n")
        beside.replace(self._file)
