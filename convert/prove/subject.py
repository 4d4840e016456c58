"""What is compared with an estimator: anything that answers rows.

A subject gives its own outputs, by its own names; `outputs.py` matches them to the task's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.errors import printable
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.convert.reference.reference import Reference
from onnxlet.function.errors import InvalidRows, OnnxletError, Problem, WrongUse
from onnxlet.function.inputs.columns import Column


class SubjectFailed(OnnxletError):
    """The subject can't be asked, or answers nothing that could be compared."""


class Unmatched(WrongUse):
    """What the subject takes or answers can't be matched to the estimator's; both are listed."""


@dataclass(frozen=True)
class Given:
    """What a subject is given: the reference's rows."""

    reference: Reference
    needed: frozenset[str]  # the names of the columns that the reference does not do without

    @property
    def columns(self) -> tuple[InputColumn, ...]:
        """Of its rows."""
        return self.reference.inputs.columns


class Subject:
    """Answers rows, somehow."""

    name: str  # what messages call it
    single = False  # it is known to compute in float32

    def unasked(self, row: Cells) -> str:
        """Why a row has no form that it could be asked in; '' where it has one."""
        return ""

    def limited(self, columns: Sequence[Column]) -> list[Column]:
        """The columns, within bounds beyond which it says that it does not answer."""
        return list(columns)

    def outputs(self, rows: Sequence[Cells]) -> Mapping[str, Any]:
        """Its own outputs, by its own names, to rows in signature order.

        Raises InvalidRows where it answers some of them not, and SubjectFailed where it can't be
        asked at all.
        """
        raise NotImplementedError


def refused(reason: str) -> InvalidRows:
    """What a subject raises that answers some of the rows not, whichever these are."""
    return InvalidRows([Problem(None, None, reason)])


def unmatched(what: str, theirs: Iterable[str], ours: Iterable[str], hint: str) -> Unmatched:
    """The refusal of a subject that can't be matched, with what there is on both sides."""
    return Unmatched(
        f"{what}\n  the subject has {printable('; '.join(theirs)) or 'none'}\n"
        f"  the estimator has {'; '.join(ours) or 'none'}",
        hint,
    )
