"""Which of a subject's outputs is which of the task's, and in which form it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxlet.convert.errors import printable
from onnxlet.convert.prove.subject import Subject, SubjectFailed, unmatched
from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.nearest import MARGIN
from onnxlet.function.arrays import Array

# What converters, servers and people call them, in lower case; the plainest first.
NAMES: Mapping[str, Sequence[str]] = {
    "prediction": (
        "prediction", "predictions", "predict", "output_label", "label", "labels",
        "predicted_label", "class", "classlabel", "variable", "output", "y",
    ),
    "probabilities": (
        "probabilities", "output_probability", "predict_proba", "probability", "proba", "probs",
    ),
    "score": ("score", "scores", "decision_function", "decision"),
    "std": ("std", "stddev"),
    "distances": ("distances", "distance"),
}  # fmt: skip
NO_FORM: Array = np.empty((0, 0))
UNEQUAL = (list, tuple, Mapping, np.ndarray)  # what no label is
MOST_OTHERS = 1000  # keys of a row's dictionary beside the classes
HINT = "Have it answer predictions, probabilities or both, one for each row that it is asked."


@dataclass(frozen=True)
class Matched:
    """A subject, and which of its outputs is which of the task's."""

    subject: Subject
    task: Task  # with those outputs only that the subject has
    names: Mapping[str, str]  # by the task's output, the subject's
    like: Answers  # the reference's answers to some rows, whose form is wanted
    classes: Sequence[Any]

    def answers(self, rows: Sequence[Cells]) -> dict[str, Array]:
        """Answers to rows as the task has them; raises as `Subject.outputs` does."""
        found = self.subject.outputs(rows)
        if lost := [theirs for theirs in self.names.values() if theirs not in found]:
            what = f"{self.subject.name} answers some rows without '{printable(lost[0])}'"
            raise SubjectFailed(what, "Have it answer the same outputs each time.")
        return {
            name: shaped(found[theirs], self.like[name], self.classes)
            for name, theirs in self.names.items()
        }


def matched(subject: Subject, task: Task, rows: Sequence[Cells], expected: Answers) -> Matched:
    """Match a subject's outputs by their names, types and shapes, as it answers some rows.

    Raises Unmatched, with both lists, where it has nothing that the task has.
    """
    found = subject.outputs(rows)
    classes = [] if task.classes is None or task.several else task.classes
    left, names = dict(found), dict[str, str]()
    for by_name in (True, False):
        for name in sorted(task.methods, key=lambda each: each == "prediction"):
            like = expected[name]
            fitting = [n for n, value in left.items() if _fits(value, like, classes, by_name)]
            if by_name:
                called = [n for known in NAMES.get(name, ()) for n in fitting if n.lower() == known]
            else:
                same = [n for n in fitting if shaped(left[n], like, classes).shape == like.shape]
                called = same or fitting
            if name not in names and called:
                names[name] = called[0]
                del left[called[0]]
    if not names.keys() & {"prediction", "probabilities", "score"}:
        raise unmatched(
            f"{subject.name}: its outputs can't be matched to the estimator's",
            (f"'{name}' ({_form(value)})" for name, value in found.items()),
            (f"'{name}' ({_form(array)})" for name, array in expected.items() if name != MARGIN),
            HINT,
        )
    methods = {name: method for name, method in task.methods.items() if name in names}
    kept = Task(task.name, methods, task.classes, task.one_by_one, task.margin)
    return Matched(subject, kept, names, expected, classes)


def shaped(value: Any, like: Array, classes: Sequence[Any]) -> Array:
    """An output as the reference has it: an array with one entry per row, and as many dimensions.

    Dictionaries by class become columns in the classes' order; what has no such form stays in its
    own, and is not equal to anything. What is no array at all is one without rows.
    """
    try:
        array = _shaped(value, like, classes)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return NO_FORM  # a stranger's lists and numbers may be anything
    return array if array.ndim else NO_FORM


def _shaped(value: Any, like: Array, classes: Sequence[Any]) -> Array:
    array = _array(value, like, classes)
    if like.dtype.kind == "f" and array.dtype.kind in "OSU":
        array = array.astype(np.float64)
    elif array.dtype == object and any(isinstance(cell, UNEQUAL) for cell in array.flat):
        return NO_FORM
    if array.ndim == 3:  # an entry for each output of several, each of (rows, classes)
        array = np.hstack(list(array))
    if like.ndim == 1 and array.ndim == 2:
        if array.shape[1] == 1:
            return array[:, 0]
        if (
            array.shape[1] == 2
            and like.dtype.kind == "f"
            and np.array_equal(-array[:, 0], array[:, 1])
        ):
            return np.asarray(array[:, 1])  # of two classes each has its score
    if like.ndim == 2 and array.ndim == 1:
        array = array.reshape(-1, 1)
    if like.ndim == array.ndim == 2 and (like.shape[1], array.shape[1], len(classes)) == (2, 1, 2):
        return np.hstack([1 - array, array])
    return array


def _array(value: Any, like: Array, classes: Sequence[Any]) -> Array:
    if _are_dictionaries(value):
        return _by_class(value, classes)
    if isinstance(value, list | tuple) and value and np.ndim(value[0]) == 2 and like.ndim == 2:
        return np.hstack([np.asarray(each) for each in value])
    array = np.asarray(value)
    if array.dtype.kind == "S" or (
        array.dtype == object and array.size and isinstance(array.flat[0], bytes)
    ):
        array = np.array([each.decode() for each in array.ravel()], dtype=object).reshape(
            array.shape
        )
    return array.astype(object) if array.dtype.kind == "U" else array


def _by_class(rows: Sequence[Mapping[Any, Any]], classes: Sequence[Any]) -> Array:
    """Dictionaries by class, as ZipMap and JSON have them, in columns."""
    if len(rows[0]) > len(classes) + MOST_OTHERS:
        return NO_FORM
    keys = {str(key): key for key in rows[0]}
    known = [keys[str(label)] for label in classes if str(label) in keys]
    known += [key for key in rows[0] if key not in known]  # another class, or another output
    return np.array([[row.get(key, np.nan) for key in known] for row in rows])


def _are_dictionaries(value: Any) -> bool:
    listed = isinstance(value, list | tuple | np.ndarray)
    return listed and len(value) > 0 and isinstance(value[0], Mapping)


def _fits(value: Any, like: Array, classes: Sequence[Any], by_name: bool) -> bool:
    array = shaped(value, like, classes)
    if array.ndim != like.ndim or len(array) != len(like):
        return False
    return by_name or like.dtype.kind != "f" or array.dtype.kind in "fiu"


def _form(value: Any) -> str:
    if _are_dictionaries(value):
        return f"{len(value)} dictionaries of {', '.join(map(repr, list(value[0])[:10]))}"
    try:
        array = np.asarray(value, dtype=None if hasattr(value, "dtype") else object)
    except ValueError:
        return "rows of several lengths"
    return f"{array.dtype} of shape {array.shape}"
