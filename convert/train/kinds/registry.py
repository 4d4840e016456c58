"""All kinds of columns: which comes first where a column could be of several, and by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnxlet.convert.train.kinds.category import BOOLEAN, CATEGORY
from onnxlet.convert.train.kinds.date import DATE
from onnxlet.convert.train.kinds.image import IMAGE
from onnxlet.convert.train.kinds.kind import Kind
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import Content, Profile, TableColumn
from onnxlet.convert.train.kinds.text import TEXT
from onnxlet.convert.train.kinds.unused import CONSTANT, COPY, EMPTY, IDENTIFIER, LEAK

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
