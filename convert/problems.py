"""Everything that is wrong with an input, said at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from onnxlet.function.errors import WrongUse, shortened

SHOWN = 10  # problems, and names in a list
LONGEST_NAME = 100  # characters of one


class Problem(NamedTuple):
    """One thing that is wrong."""

    message: str  # place, expected, got
    hint: str = ""  # what to do about it


def refuse(problems: Sequence[Problem], what: str) -> None:
    """Raise WrongUse for the problems that there are: none of them, one, or several.

    They are wrong with something, such as "DATA 'rows.csv'".
    """
    if not problems:
        return
    if len(problems) == 1:
        raise WrongUse(*problems[0])
    hints = dict.fromkeys(hint for _, hint in problems[:SHOWN])
    one_hint = len(hints) == 1
    shown = [
        f"  {message.removeprefix(what).lstrip(':, ')}"
        + ("" if one_hint or not hint else f". {hint}")
        for message, hint in problems[:SHOWN]
    ]
    if len(problems) > SHOWN:
        shown.append(f"  and {len(problems) - SHOWN} more")
    lines = "\n".join(shown)
    hint = next(iter(hints)) if one_hint else ""
    raise WrongUse(f"{what}: {len(problems)} things are wrong:\n{lines}", hint)


def found_by(check: Callable[..., object], *given: object) -> list[Problem]:
    """What a check that raises WrongUse finds wrong with what it is given."""
    try:
        check(*given)
    except WrongUse as error:
        return [Problem(error.message, error.hint)]
    return []


def listed(names: Sequence[object], most: int = SHOWN) -> str:
    """Names in quotes, and how many more there are."""
    shown = ", ".join(f"'{shortened(str(name), LONGEST_NAME)}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def close_to(name: str, names: Sequence[str]) -> str:
    """A hint that names what was perhaps meant: '' where nothing is close and there are none."""
    folded = {other.casefold().strip(): other for other in names}
    close = get_close_matches(name.casefold().strip(), folded, 3, 0.6)
    if close:
        return f"Is it {' or '.join(repr(folded[one]) for one in close)}?"
    return f"There are {listed(names)}." if names else ""


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number and what it counts: 1 row, 1,234 rows."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
