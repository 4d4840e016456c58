"""A subject that is a model directory, as a server answers by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxlet.convert.directory.model_directory import check_version
from onnxlet.convert.prove.subject import Given, Subject, unmatched
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model, load_model


@dataclass(frozen=True)
class Directory(Subject):
    """A loaded model, and the position of each of its columns among the estimator's."""

    name: str
    model: Model
    positions: Sequence[int | None]  # None where a column is not needed, and the estimator has none

    def limited(self, columns: Sequence[Column]) -> list[Column]:
        """Within the bounds of its certificate."""
        return certified(columns, self.model.manifest)

    def outputs(self, rows: Sequence[Cells]) -> Mapping[str, Any]:
        """The answers, by the names that the task has; validation is included."""
        given = [[None if at is None else row[at] for at in self.positions] for row in rows]
        return self.model.run(validate_rows(given, self.model.signature))


def directory(path: Path, given: Given) -> Directory:
    """Load a model directory, and match its columns by their names.

    Raises ModelError where it is none or was altered, Unmatched where it has other columns.
    """
    check_version(path)
    model = load_model(path.resolve())
    label = f"{model.name} version {model.version}"
    if "back_end" in model.manifest["graph"]:
        raise WrongUse(
            f"{label} answers names or sentences that are made behind its graph",
            "They are compared when it is built: onnxlet verify replays its golden rows.",
        )
    positions = {column.name: position for position, column in enumerate(given.columns)}
    needed = [column.name for column in model.signature.columns if column.required]
    if any(name not in positions for name in needed):
        raise unmatched(
            f"{label} has other columns than the estimator was given",
            map(repr, needed[:30]),
            map(repr, list(positions)[:30]),
            "Build it from this estimator.",
        )
    return Directory(label, model, [positions.get(c.name) for c in model.signature.columns])


def certified(columns: Sequence[Column], manifest: Mapping[str, Any]) -> list[Column]:
    """The columns within what a certificate says: bounds beyond which nothing is answered.

    Texts are no longer than the signature allows. The manifest may be a stranger's.
    """
    try:
        bounds = manifest["parity"]["limited_columns"]
        longest = {
            c["name"]: c["longest"] for c in manifest["signature"]["inputs"] if "longest" in c
        }
        made = list(columns)
        for at, column in enumerate(columns):
            most = min(column.longest, int(longest.get(column.name, column.longest)))
            made[at] = column._replace(longest=most)
            if column.name in bounds:
                low, high = (None if end is None else float(end) for end in bounds[column.name])
                made[at] = made[at]._replace(minimum=low, maximum=high, infinite=False)
    except (KeyError, TypeError, ValueError):
        return list(columns)
    return made
