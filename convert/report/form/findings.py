"""What report.json holds as a whole, and how it is read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from onnxlet.convert.report.form.facts import (
    Call,
    Data,
    Dependence,
    Importance,
    Learning,
    Parity,
    Search,
    Serving,
)
from onnxlet.convert.report.form.figures import (
    Calibration,
    Confusion,
    Fairness,
    Metric,
    PrecisionRecall,
    Residuals,
    Roc,
    Score,
    Threshold,
    WorstRow,
)

FORMAT = 1
DIGITS = 6  # significant ones, of every number


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The whole report."""

    format: int
    name: str
    version: int | None = None
    task: str  # binary, multiclass or regression
    outputs: int | None = None
    target: str | None = None
    positive: Any = None  # the label that rates are of
    classes: list[Any] | None = None
    origin: str | None = None  # the command that it comes from
    estimator: str | None = None
    metric: Metric | None = None
    data: Data | None = None
    scores: list[Score] | None = None  # the one that was optimised first
    confusion: Confusion | None = None
    residuals: Residuals | None = None
    roc: Roc | None = None
    precision_recall: PrecisionRecall | None = None
    calibration: Calibration | None = None
    threshold: Threshold | None = None
    importance: Importance | None = None
    dependence: list[Dependence] | None = None
    learning: Learning | None = None
    worst: list[WorstRow] | None = None
    worst_error: str | None = None  # what the error of the worst rows is
    search: Search | None = None
    fairness: list[Fairness] | None = None
    parity: Parity | None = None
    serving: Serving | None = None
    call: Call | None = None
    use: None = None
    notes: list[str] | None = None  # what was left out, and why


def from_json(found: Mapping[str, Any]) -> Findings:
    """Findings from plain JSON; KeyError, TypeError or AttributeError where a part is damaged."""
    made: Findings = _read(Findings, found)
    return made


def _read(kind: Any, value: Any) -> Any:
    """A value of JSON as its type has it: dataclasses by their fields, lists of them one by one."""
    if value is None:
        return None
    if isinstance(kind, UnionType):
        kinds = [each for each in get_args(kind) if each is not NoneType]
        kind = next((each for each in kinds if _fits(each, value)), kinds[0])
    if get_origin(kind) is list:
        [part] = get_args(kind)
        return [_read(part, each) for each in value]
    if not is_dataclass(kind):
        return value
    types = get_type_hints(kind)
    members = {
        each.name: _read(types[each.name], value[_member(each)])
        for each in fields(kind)
        if _is_required(each) or _member(each) in value
    }
    make: Any = kind
    return make(**members)


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value has all that a dataclass needs."""
    return is_dataclass(kind) and all(_member(e) in value for e in fields(kind) if _is_required(e))


def _is_required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _member(each: Field[Any]) -> str:
    """The name in JSON: those that Python reserves have an underscore behind them here."""
    return each.name.rstrip("_")


def as_json(value: Any) -> Any:
    """As JSON has it: no NumPy types, no NaN, numbers with few digits."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if is_dataclass(value):
        return {_member(each): as_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_json(member) for member in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value
