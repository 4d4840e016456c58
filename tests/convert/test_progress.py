"""A bar on a terminal past two seconds, plain lines elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from onnxlet.convert.options import progress
from onnxlet.convert.progress import CELLS, PATIENCE, ProgressBar, advanced, listening, on_terminal


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def at() -> list[float]:
    return [0.0]


@pytest.fixture
def bar(at: list[float]) -> tuple[ProgressBar, Screen]:
    screen = Screen()
    return ProgressBar(screen, lambda: at[0]), screen


def test_a_quick_step_has_a_line_and_no_bar(bar: tuple[ProgressBar, Screen]) -> None:
    shown, screen = bar
    shown.line("trying float32 matrix")
    shown.draw()
    assert screen.getvalue() == "  trying float32 matrix\n"


def test_a_long_step_has_a_bar_that_the_next_line_replaces(
    bar: tuple[ProgressBar, Screen], at: list[float]
) -> None:
    shown, screen = bar
    shown.line("trying float32 matrix")
    at[0] = PATIENCE
    shown.advanced("comparing rows", 500, 1000)
    shown.draw()
    half = "#" * (CELLS // 2) + "-" * (CELLS // 2)
    text = f"  [{half}] 2 s  trying float32 matrix: comparing rows"[:79]
    assert screen.getvalue() == f"  trying float32 matrix\n\r{text}"

    shown.line("trying float64 matrix")
    assert screen.getvalue().endswith(f"{text}\r{' ' * len(text)}\r  trying float64 matrix\n")


def test_what_is_done_goes_before_the_line_where_there_is_little_room(
    bar: tuple[ProgressBar, Screen], at: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown, screen = bar
    shown.line("scoring 1,000 parts")
    at[0] = 30
    shown.advanced("700,000 rows, 79,114 a second, 40 s left", 0, 1000)
    shown.draw()
    assert screen.getvalue().endswith("] 30 s  700,000 rows, 79,114 a second, 40 s left")


def test_nothing_of_the_bar_stays_after_an_error() -> None:
    screen = Screen()

    def failing() -> None:
        with on_terminal(screen) as line:
            line("trying")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        failing()
    assert screen.getvalue() == "  trying\n"
    advanced("comparing rows", 1, 2)  # nobody listens any more


def test_what_advances_is_heard_only_where_somebody_listens() -> None:
    heard: list[tuple[str, int, int]] = []
    advanced("before", 0, 1)
    with listening(lambda *part: heard.append(part)):
        advanced("comparing rows", 1, 2)
    advanced("after", 1, 1)
    assert heard == [("comparing rows", 1, 2)]


def test_lines_are_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as line:
        line("trying float32 matrix")
    assert capsys.readouterr().err == "  trying float32 matrix\n"


def test_on_a_terminal_lines_go_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress() as line:
        line("trying float32 matrix")
    assert screen.getvalue() == "  trying float32 matrix\n"
