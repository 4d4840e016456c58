"""What stops the following of a function."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NoReturn

REFUSALS: ContextVar[list[NotFollowed] | None] = ContextVar("refusals", default=None)


class NotFollowed(BaseException):
    """The function does something that is not followed; no `except Exception` of its own hides it.

    Attributes:
        reason: what it does.
        hint: what it can do instead.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def refuse(reason: str, hint: str = "") -> NoReturn:
    """Stop, even if the function goes on after a bare `except`.

    Raises:
        NotFollowed: always.
    """
    error = NotFollowed(reason, hint)
    known = REFUSALS.get()
    if known is not None:
        known.append(error)
    raise error


def check_options(name: str, given: dict[str, Any], **harmless: Any) -> None:
    """Refuse options of a pandas or NumPy function that change what is computed.

    Args:
        name: of the function.
        given: by name.
        harmless: values that an option may have; all others are refused.
    """
    for option, value in given.items():
        allowed = harmless.get(option, ())
        if not any(value is one or (type(value) is type(one) and value == one) for one in allowed):
            refuse(f"{name} with {option}={value!r:.40} is not followed")
