"""Which of two classes is the positive one: that which rates, such as recall, are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxlet.convert.problems import counted, listed
from onnxlet.function.errors import WrongUse

YES = frozenset(
    """
    yes y true t positive ja j wahr positiv oui vrai si sí vero sim tak ano evet да 是 はい 예
    """.split()  # noqa: SIM905 - a table of words
)
ONE, BESIDE = "1", ("0", "-1")  # of two numbers, also as text


def positive_of(labels: Sequence[Any], counts: Sequence[int]) -> tuple[Any, str]:
    """The positive one of two labels, in order, with how many rows each has; and why it is.

    It is the one that says yes: in words, true of booleans, 1 beside 0; else the rarer one, and of
    equally many rows the second.
    """
    texts = [folded(label) for label in labels]
    says = [t in YES or (t == ONE and o in BESIDE) for t, o in zip(texts, texts[::-1], strict=True)]
    if says[0] != says[1]:
        return labels[says.index(True)], "which says yes"
    if counts[0] == counts[1]:
        return labels[1], "the last in order"
    return labels[int(counts[1] < counts[0])], "the rarer one"


def folded(label: Any) -> str:
    """A label without the difference of capitals and spaces."""
    return " ".join(str(label).split()).casefold()


def named(text: Any, labels: Sequence[Any], place: str) -> Any:
    """The one of two labels that a user calls positive, perhaps in other capitals.

    WrongUse where it is none of these, or they are not two; its message names a place, such as
    "'churn'".
    """
    if len(labels) != 2:
        kind = counted(len(labels), "label") if labels else "numbers"
        raise WrongUse(
            f"--positive: expected a target of two labels, got {place} with {kind}",
            "Leave --positive out: rates are of one of two labels.",
        )
    for same in (str, folded):
        found = [label for label in labels if same(label) == same(text)]
        if len(found) == 1:
            return found[0]
    raise WrongUse(
        f"--positive: {place} has no label '{text}'", f"Its labels are {listed(labels)}."
    )
