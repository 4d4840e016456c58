"""All kinds of columns: which comes first where a column could be of several, and by name.

Those that a model is not given, as what they hold says nothing of rows to come, are here; copies
and leaks are found beside other columns and the target (`leaks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnxlet.convert.reference.diagnosis import ID_NAME, UNNAMED, UUID
from onnxlet.convert.train.kinds.category import BOOLEAN, CATEGORY
from onnxlet.convert.train.kinds.date import DATE
from onnxlet.convert.train.kinds.image import IMAGE
from onnxlet.convert.train.kinds.kind import Kind
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import Content, Profile, TableColumn
from onnxlet.convert.train.kinds.text import MANY, TEXT, WORDS, are_few

ALMOST_ALL = 0.95


class Unused(Kind):
    """A kind that is left out, and why a column is of it; '' where it is not."""

    used = False

    def __init__(self, name: str, why: Callable[[Content], str] = lambda content: "") -> None:
        self.name, self._why = name, why

    def recognised(self, content: Content) -> TableColumn | None:
        """It has a reason; without one it is known by what stands beside the column."""
        why = self._why(content)
        return content.profile.taken_for(self.name, why, used=False) if why else None


def _why_constant(content: Content) -> str:
    seen = content.profile
    if seen.distinct != 1 or seen.missing or not content.is_carried:
        return ""
    return f"the same value in all {seen.known:,} rows"


def _why_identifier(content: Content) -> str:
    """It counts the rows, is named like an id, or holds another text in nearly each row."""
    if UNNAMED.fullmatch(content.profile.name) and content.counts_rows:
        return "counts the rows: an index that pandas wrote (to_csv(index=False) leaves it out)"
    return _why_of_numbers(content) or _why_of_words(content)


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
    # Nearly each row has a value of its own that says nothing of another row.
    unique = seen.known >= MANY // 2 and seen.distinct >= ALMOST_ALL * seen.known
    if unique and (words.words < WORDS or all(UUID.fullmatch(text) for text in words.some)):
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


EMPTY = Unused("empty", lambda content: "no row has a value" * (not content.profile.known))
CONSTANT = Unused("constant", _why_constant)
IDENTIFIER = Unused("identifier", _why_identifier)  # of rows, or of what several rows belong to
COPY, LEAK = Unused("copy"), Unused("leak")


# As people are told of them.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *(NUMBER, CATEGORY, TEXT, DATE, BOOLEAN, IMAGE),
        *(IDENTIFIER, CONSTANT, COPY, LEAK, EMPTY),
    )
}
USED = tuple(name for name, kind in KINDS.items() if kind.used)
# The first that takes a column has it.
RECOGNISED = (EMPTY, CONSTANT, BOOLEAN, DATE, TEXT, IDENTIFIER, CATEGORY, NUMBER)
# By learner, a method of the kinds: the order is that in which a fitted model adds numbers up.
FEATURES: Mapping[str, Sequence[Kind]] = {
    "linear": (NUMBER, CATEGORY, DATE, IMAGE, TEXT),
    "trees": (NUMBER, CATEGORY, DATE, TEXT, IMAGE),
    "native": (CATEGORY, NUMBER, DATE),
}


def guessed(seen: Profile) -> TableColumn:
    """What a column is taken for by its values."""
    content = Content(seen)
    return next(guess for kind in RECOGNISED if (guess := kind.recognised(content)))


def columns_of(
    columns: Sequence[TableColumn],
    *kinds: Kind,
    where: Callable[[TableColumn], bool] = lambda column: True,
) -> list[TableColumn]:
    """The used columns of some kinds."""
    wanted = {kind.name for kind in kinds}
    return [one for one in columns if one.used and one.kind in wanted and where(one)]


def columns_encoded_as(columns: Sequence[TableColumn], kind: Kind) -> list[TableColumn]:
    """The used columns that are encoded as those of a kind."""
    return [one for one in columns if one.used and KINDS[one.kind].encoded_as is kind]
