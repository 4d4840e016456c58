"""Kinds of columns that a model is not given: what they hold says nothing of rows to come.

Copies and leaks are found beside other columns and the target (`copies`, `leaks`).
"""

from __future__ import annotations

from onnxlet.convert.reference.diagnosis import ID_NAME, UNNAMED, UUID
from onnxlet.convert.train.kinds.kind import Kind
from onnxlet.convert.train.kinds.profile import Content, Profile, TableColumn, Words
from onnxlet.convert.train.kinds.text import MANY, WORDS, are_few

ALMOST_ALL = 0.95


class Unused(Kind):
    """A kind that is left out, and known by what stands beside the column."""

    used = False

    def __init__(self, name: str) -> None:
        self.name = name


class Empty(Unused):
    """Without a value."""

    def recognised(self, content: Content) -> TableColumn | None:
        """No row has one."""
        seen = content.profile
        return None if seen.known else seen.taken_for(self.name, "no row has a value", used=False)


class Constant(Unused):
    """With one value."""

    def recognised(self, content: Content) -> TableColumn | None:
        """All rows have the same."""
        seen = content.profile
        if seen.distinct != 1 or seen.missing or not content.is_carried:
            return None
        return seen.taken_for(self.name, f"the same value in all {seen.known:,} rows", used=False)


class Identifier(Unused):
    """Names of rows, or of what several rows belong to."""

    def recognised(self, content: Content) -> TableColumn | None:
        """It counts the rows, is named like an id, or holds another text in nearly each row."""
        why = _why_unnamed(content) or _why_of_numbers(content) or _why_of_words(content)
        return content.profile.taken_for(self.name, why, used=False) if why else None


EMPTY, CONSTANT, IDENTIFIER = Empty("empty"), Constant("constant"), Identifier("identifier")
COPY, LEAK = Unused("copy"), Unused("leak")


def _why_unnamed(content: Content) -> str:
    if not (UNNAMED.fullmatch(content.profile.name) and content.counts_rows):
        return ""
    return "counts the rows: an index that pandas wrote (to_csv(index=False) leaves it out)"


def _why_of_numbers(content: Content) -> str:
    seen = content.profile
    if content.numbers is None or not content.is_whole:
        return ""
    is_named = bool(ID_NAME.search(seen.name))
    if seen.known >= MANY // 2:
        if content.counts_rows:
            return "counts the rows, as an index does"
        if is_named and seen.distinct == seen.known:
            return "another whole number in each row, and named like an id"
    if is_named and seen.distinct > MANY and seen.distinct > seen.known / 5:
        return _why_of_groups(seen)
    return ""


def _why_of_words(content: Content) -> str:
    seen, words = content.profile, content.words
    if words is None:
        return ""
    if _are_codes(seen, words):
        if seen.distinct == seen.known:
            return f"another text in each row{words.odd}"
        return f"{seen.different} in {seen.known:,} rows: nearly each has its own{words.odd}"
    is_named = ID_NAME.search(seen.name) and not are_few(seen, words)
    return _why_of_groups(seen) + words.odd if is_named and seen.distinct / seen.known > 0.2 else ""


def _why_of_groups(seen: Profile) -> str:
    return (
        f"{seen.different} in {seen.known:,} rows, and named like an id: "
        "rows of one go together with --group"
    )


def _are_codes(seen: Profile, words: Words) -> bool:
    """Whether nearly each row has a value of its own that says nothing of another row."""
    if seen.known < MANY // 2 or seen.distinct < ALMOST_ALL * seen.known:
        return False
    return words.words < WORDS or all(UUID.fullmatch(text) for text in words.some)
