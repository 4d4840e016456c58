"""A subject that is Python: a function of a file, or an object that predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onnxlet.convert.errors import shortened
from onnxlet.convert.prove.subject import Subject, SubjectFailed, refused
from onnxlet.convert.reference.answers import flat
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.users_code import where
from onnxlet.function.arrays import Array

PAIR = ("prediction", "probabilities")  # of a tuple


@dataclass(frozen=True)
class PythonFunction(Subject):
    """A function that is given what the estimator would be given."""

    name: str
    function: Callable[[Any], Any]
    reference: Reference

    def outputs(self, rows: Sequence[Cells]) -> Mapping[str, Any]:
        """What it returns: predictions, a pair of predictions and probabilities, or by name.

        One array of probabilities is known by its shape.
        """
        inputs = self.reference.inputs
        parts = inputs.by_dtypes(rows)
        made = [self._asked(inputs.data([rows[n] for n in part]), len(part)) for part in parts]
        back = np.argsort(np.concatenate(parts))
        alike = [
            name
            for name, first in made[0].items()
            if all(name in m and m[name].shape[1:] == first.shape[1:] for m in made)
        ]
        return {name: np.concatenate([m[name] for m in made])[back] for name in alike}

    def _asked(self, data: Any, count: int) -> dict[str, Array]:
        try:
            with np.errstate(all="ignore"):
                found = self.function(data)
        except Exception as error:  # whatever it raises, it does not answer
            why = f"{self.name} raises {type(error).__name__}: {shortened(error)}{where(error)}"
            raise refused(why) from error
        if isinstance(found, tuple) and len(found) == len(PAIR) and len(found) != count:
            found = dict(zip(PAIR, found, strict=True))
        if not isinstance(found, Mapping):
            found = {"output": found}
        arrays = {str(name): _plain(value) for name, value in found.items()}
        listed = {name: array for name, array in arrays.items() if array.shape[:1] == (count,)}
        if not listed:
            what = f"{self.name} returns nothing that has an entry for each of {count} rows"
            raise SubjectFailed(what, "Have it return one for each row, in their order.")
        return listed


def _plain(value: Any) -> Array:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        made = np.empty(len(value), dtype=object)
        made[:] = value
        return made
    try:
        return np.asarray(value.toarray() if hasattr(value, "toarray") else value)
    except ValueError:  # rows of several lengths
        return np.empty(0)


def predicting(subject: Any, reference: Reference) -> PythonFunction:
    """An object that has methods of the estimator's task, such as `predict_proba`."""
    task, name = reference.task, type(subject).__name__
    methods = {out: m for out, m in task.methods.items() if hasattr(subject, m.partition(":")[0])}
    asked = replace(task, methods=methods or {"prediction": "predict"}, margin=None)

    def ask(data: Any) -> dict[str, Array]:
        answers = asked.answers(subject, data)
        with suppress(KeyError):
            answers["prediction"] = flat(answers["prediction"])
        return answers

    return PythonFunction(name, ask, reference)
