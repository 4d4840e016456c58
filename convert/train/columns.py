"""What each column of a table is taken for, and why; and the columns as a pipeline takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.problems import Problem, close_to, refuse
from onnxlet.convert.train.kinds.copies import copies
from onnxlet.convert.train.kinds.date import date_form, form_of_moments
from onnxlet.convert.train.kinds.image_files import KIND as IMAGE
from onnxlet.convert.train.kinds.image_files import Seen
from onnxlet.convert.train.kinds.leaks import goes_with, leaks
from onnxlet.convert.train.kinds.number import MADE
from onnxlet.convert.train.kinds.profile import Guess, Profile, guessed, profile
from onnxlet.function.arrays import Array

USED = (*MADE, IMAGE)
UNUSED = ("identifier", "constant", "copy", "leak", "empty")
KINDS = (*USED, *UNUSED)
OUT = "out"  # what the user says of a column that is left out, whatever it is
SAID = "as --columns says"
WHY_WIDTH = 72
NAME_WIDTH = 28


class Taken(NamedTuple):
    """What a column is taken for.

    Attributes:
        name: of the column.
        kind: number, category, text, date, boolean, image, identifier, constant, copy, leak or
            empty.
        why: in a short sentence, with numbers.
        used: whether the model is given it.
        missing: rows without a value.
        distinct: different values.
        format: of dates, for `strptime`; of images, the size and mode that pipelines see, such as
            "28x28 L"; None for other kinds.
        of: the column that a copy repeats; None for other kinds.
    """

    name: str
    kind: str
    why: str
    used: bool
    missing: int
    distinct: int
    format: str | None = None
    of: str | None = None


def take_columns(
    frame: pd.DataFrame,
    y: Array,
    task: str,
    wanted: Mapping[str, str] | None = None,
    images: Mapping[str, Seen] | None = None,
) -> list[Taken]:
    """What each column is taken for.

    Args:
        frame: without the target.
        y: the target of the same rows.
        task: binary, multiclass or regression.
        wanted: kinds by column, over what would be guessed; "date %d.%m.%Y" gives a form, too,
            and "out" leaves a column out.
        images: columns that hold images, of each of which the table has a hash.

    Raises:
        WrongUse: what is wanted is not to be had; or no column is left.
    """
    wanted = dict(wanted or {})
    seen = {str(name): profile(frame[name], str(name)) for name in frame.columns}
    guesses = {name: guessed(frame[name], one) for name, one in seen.items()}
    for name, held in (images or {}).items():
        if guesses[name].kind != "constant" or name in wanted:
            guesses[name] = Guess(IMAGE, held.why, format=str(held.form))
    refuse(_wrong_wishes(wanted, seen, guesses), "--columns")
    taken = {name: _as_wished(one, guesses[name], wanted.get(name)) for name, one in seen.items()}
    kept = {name for name, wish in wanted.items() if wish.partition(" ")[0] in USED}
    with np.errstate(over="ignore", invalid="ignore"):  # squares of a target beyond 1e154
        _mark_leaks(taken, seen, kept, y, task)
        _mark_identifiers(taken, seen, y, task)
    _mark_copies(taken, seen, wanted, kept)
    for name, wish in wanted.items():
        if name not in kept:
            taken[name] = _left_out(taken[name], wish)
    refuse(_nothing_left(list(taken.values())), "DATA")
    return list(taken.values())


def _mark_leaks(
    taken: dict[str, Taken], seen: Mapping[str, Profile], kept: Collection[str], y: Array, task: str
) -> None:
    """Leave leaks out, but for those that the user keeps."""
    given = [
        (seen[name], Guess(one.kind, one.why, one.used, one.format))
        for name, one in taken.items()
        if one.used
    ]
    for name, leak in leaks(given, y, task).items():
        old = taken[name]
        if leak.certain and name not in kept:
            taken[name] = old._replace(kind="leak", why=leak.why, used=False)
        else:
            taken[name] = old._replace(why=f"{old.why}; {leak.why}")


def _mark_identifiers(
    taken: dict[str, Taken], seen: Mapping[str, Profile], y: Array, task: str
) -> None:
    """Say of those that go with the target: rows were numbered as they came, or as sorted."""
    for name, one in taken.items():
        if one.kind == "identifier" and (with_it := goes_with(seen[name], y, task)):
            taken[name] = one._replace(why=f"goes with the target ({with_it}), but {one.why}")


def _mark_copies(
    taken: dict[str, Taken],
    seen: Mapping[str, Profile],
    wanted: Mapping[str, str],
    kept: Collection[str],
) -> None:
    """Leave copies out of what the model is given, but for those that the user keeps."""
    left = [
        seen[name]
        for name, one in taken.items()
        if one.used and (name in kept or wanted.get(name, "copy") == "copy")
    ]
    for name, copy in copies(left).items():
        if name not in kept:
            taken[name] = taken[name]._replace(kind="copy", why=copy.why, used=False, of=copy.of)


def _left_out(one: Taken, wish: str) -> Taken:
    """A column that the user leaves out, with the reason where it is that of its values, too."""
    if not one.used and wish in (one.kind, OUT):
        return one
    kind = one.kind if wish == OUT else wish
    return one._replace(kind=kind, why=f"left out, {SAID}", used=False, format=None)


def as_taken(
    frame: pd.DataFrame, taken: Sequence[Taken], images: Mapping[str, Seen] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are used, in the types that the pipeline is fitted on.

    Numbers are float64, or int64 where none is missing; categories text in objects with NaN for
    gaps, or numbers; text and dates text in objects; booleans bool, or objects with NaN; images
    uint8 of one size in objects.

    Args:
        frame: rows with these columns.
        taken: what they are taken for.
        images: what columns of images hold.

    Returns:
        The columns, and what became of values that are of another type.
    """
    columns, notes = {}, list[str]()
    for one in taken:
        if one.used and one.kind == IMAGE:
            columns[one.name] = (images or {})[one.name].of(frame[one.name])
        elif one.used:
            made = MADE[one.kind](frame[one.name], one.format)
            columns[one.name] = made.column
            notes += made.notes
    return pd.DataFrame(columns, index=frame.index, copy=False), notes


def columns_lines(taken: Sequence[Taken]) -> list[str]:
    """What the columns are taken for, as a table for a terminal; what is left out comes last."""
    ordered = sorted(taken, key=lambda one: not one.used)
    rows = [(_cut(one.name, NAME_WIDTH), _shown_kind(one), one.why) for one in ordered]
    widths = [max((len(row[at]) for row in rows), default=0) for at in (0, 1)]
    lines = []
    for name, kind, why in rows:
        lines.append(f"{name:{widths[0]}}  {kind:{widths[1]}}  {_cut(why, WHY_WIDTH)}".rstrip())
    return lines


def _shown_kind(one: Taken) -> str:
    left_out = not one.used and one.kind in USED
    return f"({one.kind})" if left_out else one.kind


def _cut(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _as_wished(seen: Profile, guess: Guess, wish: str | None) -> Taken:
    guess = guess if wish is None else _wished(seen, guess, wish)
    return Taken(
        seen.name, guess.kind, guess.why, guess.used, seen.missing, seen.distinct, guess.format
    )


def _wished(seen: Profile, guess: Guess, wish: str) -> Guess:
    kind, _, form = wish.partition(" ")
    if kind not in USED or (guess.kind == kind and form in ("", guess.format)):
        return guess
    if kind == "date":
        form = form or _form_of(seen)
        return Guess("date", f"dates written as {form}, {SAID}", format=form)
    return Guess(kind, f"a {kind}, {SAID}")


def _form_of(seen: Profile) -> str:
    """The form of dates of a column; '' where it has none."""
    if seen.column.dtype.kind == "M":
        return form_of_moments(seen.column)
    found = date_form([_plain(value) for value in seen.uniques])
    return found.format if found else ""


def _plain(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _wrong_wishes(
    wanted: Mapping[str, str], seen: Mapping[str, Profile], guesses: Mapping[str, Guess]
) -> list[Problem]:
    problems = list[Problem]()
    for name, wish in wanted.items():
        kind, _, form = wish.partition(" ")
        if name not in seen:
            hint = close_to(name, list(seen))
            problems.append(Problem(f"--columns: there is no column '{name}'", hint))
        elif kind not in (*KINDS, OUT) or (form and kind not in ("date", IMAGE)):
            problems.append(
                Problem(
                    f"--columns: '{name}': expected one of {', '.join((*KINDS, OUT))}, "
                    f"got '{wish}'",
                    "A date may have a form: 'date %d.%m.%Y'.",
                )
            )
        elif kind in USED and (why := _cannot_be(seen[name], guesses[name], kind, form)):
            problems.append(Problem(f"--columns: '{name}' can't be a {kind}: {why[0]}", why[1]))
    return problems


def _cannot_be(seen: Profile, guess: Guess, kind: str, form: str) -> tuple[str, str] | None:
    """Why a column can't be of a kind, and what to do; None where it can."""
    if not seen.known:
        return "no row has a value", "Leave it out: 'out'."
    if guess.kind in USED and not guess.used:
        return guess.why.removesuffix(": left out"), "Turn them into numbers or text before."
    if kind in ("category", "text", IMAGE):
        return None
    if kind == "date" and not form and not _form_of(seen):
        return "its values have no one form of dates", "Say which: 'date %d.%m.%Y'."
    values = pd.Series(seen.uniques, name=seen.name)
    made = MADE[kind](values, form or (_form_of(seen) if kind == "date" else None)).column
    read = int(made.notna().sum())
    if read * 2 >= seen.distinct:
        return None
    count = f"{read:,} of its {seen.distinct:,} different values are of that kind"
    return count, "Take it for a category."


def _nothing_left(taken: Sequence[Taken]) -> list[Problem]:
    if any(one.used for one in taken):
        return []
    reasons = "; ".join(f"'{one.name}': {one.kind}, {one.why}" for one in taken[:5])
    hint = "Add columns that are known before the answer is, or use one by --columns FILE.toml."
    return [Problem(f"no column is left to predict from: {reasons}", hint)]
