"""Categories are hashed as CatBoost hashes them; its own hashes are the reference."""

from __future__ import annotations

import pytest

from onnxlet.function.inputs.city_hash import KNOWN, SHORT, city_hash, hashed

LETTERS = "abc xyz 019, "

# By CatBoost 1.2.10, of the first n letters of `text_of(n)`; each length of a branch's ends.
OF_CATBOOST = {
    0: 797982799, 1: -805065478, 2: -204718274, 3: 978243121, 4: -851137247, 5: -248786352,
    7: -2144233527, 8: -2084389022, 9: -1785670182, 12: -1228110636, 15: 784370147, 16: -160562321,
    17: 1867495539, 24: -1541352060, 28: 770460156, 31: -284660934, 32: -64414341, 33: -766068869,
    40: -1482775161, 50: -570165092, 60: -1502963053, 63: 1176144522, 64: 1875521843,
    65: -975157824, 100: -1318116543, 127: -914259718, 128: -734990479, 129: -11599831,
    300: 1449177941, 1000: -1472536098,
}  # fmt: skip


def text_of(length: int) -> str:
    return (LETTERS * (length // len(LETTERS) + 1))[:length]


@pytest.mark.parametrize("length", OF_CATBOOST)
def test_hashes(length: int) -> None:
    assert hashed(text_of(length)) == OF_CATBOOST[length]


def test_other_scripts() -> None:
    assert hashed("Straße 类别 🦙") == -1851166541


def test_whole_numbers_are_hashed_as_text() -> None:
    step = city_hash()
    assert step(-12) == step("-12") == hashed("-12")
    assert step(2**63 - 1) == hashed("9223372036854775807")


def test_few_and_short_texts_are_kept() -> None:
    step = city_hash()
    texts = [f"text {number}" for number in range(KNOWN + 5)] + ["é" * (SHORT + 1)]
    for _ in range(2):
        assert [step(text) for text in texts] == [hashed(text) for text in texts]
    (known,) = [cell.cell_contents for cell in step.__closure__ or ()]
    assert len(known) <= KNOWN
    assert "é" * (SHORT + 1) not in known
