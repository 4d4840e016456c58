"""How far a build has come: what compares or bisects reports it, and a terminal may show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], object]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def advanced(what: str, done: int, total: int) -> None:
    """Report that a part of some work is done; nobody may be listening.

    Args:
        what: is done, in a few words.
        done: how many of its parts.
        total: how many there are.
    """
    if (listener := _listener.get()) is not None:
        listener(what, done, total)


def heard() -> bool:
    """Whether somebody is listening, such as a terminal."""
    return _listener.get() is not None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have a function called with what advances meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
