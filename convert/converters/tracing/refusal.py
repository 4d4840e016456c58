"""The refusal to trace a function."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NoReturn

REFUSALS: ContextVar[list[NotTraceable] | None] = ContextVar("refusals", default=None)


class NotTraceable(BaseException):
    """The function does something that has no conversion; the hint says what it can do instead.

    A BaseException, so that an `except Exception` in the function does not hide it.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def refuse(reason: str, hint: str = "") -> NoReturn:
    """Stop tracing, by NotTraceable; it is recorded, in case the function has a bare `except`."""
    error = NotTraceable(reason, hint)
    known = REFUSALS.get()
    if known is not None:
        known.append(error)
    raise error


def check_options(name: str, given: dict[str, Any], **permitted: Any) -> None:
    """Refuse options of a pandas or NumPy function that would change its values.

    Each option, by name, may have the values that are permitted for it.
    """
    for option, value in given.items():
        allowed = permitted.get(option, ())
        if not any(value is one or (type(value) is type(one) and value == one) for one in allowed):
            refuse(f"{name} with {option}={value!r:.40} has no conversion")
