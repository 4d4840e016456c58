"""Which rows are answered is found in few questions, and is what each row by itself says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from onnxlet.convert.reference.reference import which_are_answered

random = np.random.default_rng(0)
EVERY = 12_000
KNOWN: dict[str, list[bool]] = {
    "none": [],
    "one that raises": [False],
    "one that is answered": [True],
    "all": [True] * 500,
    "all raise": [False] * 80,
    "every other one": [bool(n % 2) for n in range(80)],
    "the first half raises": [False] * 40 + [True] * 40,
    "both ends": [False] * 4 + [True] * (EVERY - 8) + [False] * 4,
    "one of many": [n != 7000 for n in range(EVERY)],
    "some of many": (random.random(EVERY) > 0.03).tolist(),
    "in blocks": np.repeat(random.random(EVERY // 4) > 0.1, 4).tolist(),
}
# Questions, and rows in all of them, each asked about as often as it is in one.
MOST = {
    "all": (1, 500), "all raise": (81, 160), "the first half raises": (60, 400),
    "both ends": (120, 26_000), "one of many": (80, 26_000), "some of many": (4000, 80_000),
    "in blocks": (4500, 80_000),
}  # fmt: skip


def asked(known: Sequence[bool], raised: bool = False) -> tuple[list[bool], int, int]:
    """What is found, how many questions were asked, and about how many rows."""
    sizes: list[int] = []

    def answers(rows: list[list[int]]) -> bool:
        sizes.append(len(rows))
        return all(known[number] for row in rows for number in row)

    found = which_are_answered([[[n]] for n in range(len(known))], answers, raised)
    return found, len(sizes), sum(sizes)


@pytest.mark.parametrize("name", KNOWN)
def test_each_row_counts_by_itself(name: str) -> None:
    found, questions, rows = asked(KNOWN[name])

    assert found == KNOWN[name]
    if name in MOST:
        assert questions <= MOST[name][0]
        assert rows <= MOST[name][1]


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if not all(known)])
def test_what_is_known_to_raise_is_not_asked_about_again(name: str) -> None:
    found, _, rows = asked(KNOWN[name], raised=True)

    assert found == KNOWN[name]
    assert rows <= asked(KNOWN[name])[2] - len(KNOWN[name]) * (len(KNOWN[name]) > 1)


@pytest.mark.parametrize("together", [2, 3, 100])
def test_rows_that_raise_only_together_are_answered(together: int) -> None:
    found = which_are_answered(
        [[[n]] for n in range(300)], lambda rows: len(rows) < together, raised=True
    )

    assert found == [True] * 300
