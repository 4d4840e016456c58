"""What is explained: numbers that a model answers, or 0 and 1 for the label that it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, NoBackground, quoted
from onnxlet.function.inputs.columns import Output
from onnxlet.function.models.model import Model
from onnxlet.function.numpy_later import np

MOST_OUTPUTS = 100  # numbers that are explained for each row
INFORMATIVE = ("probabilities", "score", "distances", "prediction")
Outputs = Mapping[str, Array]


class ExplainedOutput:
    """One output of a model, as numbers."""

    def __init__(
        self, output: str, labels: list[Any] | None, classes: list[Any] | None, single: bool
    ) -> None:
        self.output = output  # its name
        # What the numbers are of, in their order; a list for each output of several; None where
        # they bear no names.
        self.classes = classes
        self.single = single  # there is but one number
        self.nested = _is_nested(classes)  # several outputs, each with classes of its own
        self._labels = labels
        self._positions: list[int] | None = None

    def restrict(self, wanted: Sequence[Any], width: int) -> None:
        """Explain only these classes; of numbers without names their positions below `width`.

        Raises MalformedRequest where there is no such class.
        """
        known = list(range(width)) if self.classes is None else self.classes
        if self.nested:
            raise MalformedRequest("'classes': a model of several outputs is explained as a whole")
        positions = [_position(label, known) for label in wanted]
        if not wanted or None in positions or len(set(positions)) < len(positions):
            got = quoted(wanted[:20], 200)
            raise MalformedRequest(
                f"'classes': expected some of {known[:20]!r}, each once, got {got}"
            )
        self._positions = [position for position in positions if position is not None]
        self.classes = [known[position] for position in self._positions]
        self.single = False

    def matrix(self, outputs: Outputs) -> Array:
        """The numbers, float64 of shape (rows, numbers)."""
        array = outputs[self.output]
        if self._labels is None:
            numbers = array.reshape(len(array), -1).astype(np.float64, copy=False)
        else:
            numbers = np.concatenate(list(_indicators(array, self._labels)), axis=1)
        return numbers if self._positions is None else numbers[:, self._positions]

    def form(self, numbers: Sequence[float]) -> Any:
        """One row's numbers as they stand in an answer."""
        return self.forms([list(numbers)])[0]

    def forms(self, rows: list[list[float]]) -> list[Any]:
        """The numbers of rows as they stand in an answer."""
        if self.single:
            return [numbers[0] for numbers in rows]
        return list(map(self._nested, rows)) if self.nested else rows

    def _nested(self, numbers: Sequence[float]) -> list[list[float]]:
        rest = iter(numbers)
        return [[next(rest) for _ in known] for known in self.classes or []]


def explained(model: Model) -> list[Output]:
    """The outputs that are explained: of nearest items how near they are, not which they are."""
    every = model.signature.outputs
    return [each for each in every if model.k is None or each.name != "prediction"]


def check_explained(model: Model, output: str | None) -> None:
    """Refuse to explain texts, what is no number, or one of a list whose length varies.

    An output that is None is the most informative one. Raises NoBackground where there is no such
    number.
    """
    label = f"model {model.name}/{model.version}"
    if model.manifest["task"] == "summary":
        raise NoBackground(
            f"{label} answers sentences of the text itself, and has no explanations",
            "The score beside a sentence says how much of the text it holds.",
        )
    if model.signature.id_feed is not None:
        raise NoBackground(
            f"{label} answers a text with a text: there is no number to explain",
            "The score beside a prediction says how sure the model is of it.",
        )
    known = {each.name: each for each in explained(model)}
    chosen = known.get(output or _most_informative(known))
    if chosen is not None and chosen.type == "boxes":
        raise NoBackground(f"{label} answers boxes: there is no number to explain")
    if chosen is not None and -1 in chosen.shape[1:]:
        raise NoBackground(
            f"{label} answers '{chosen.name}' in sizes that vary: there is no number to explain "
            "that all rows have"
        )


def target(model: Model, output: str | None, answers: Sequence[Outputs]) -> ExplainedOutput:
    """Choose what is explained; an output that is None is the most informative one.

    Answers are looked at for labels that the manifest does not list. Raises MalformedRequest where
    the model has no such output.
    """
    known = {each.name: each for each in explained(model)}
    if output == "prediction" and output not in known:
        raise MalformedRequest(
            "'output': items are not explained, they are no numbers",
            f"Explain how near they are: {_most_informative(known)}.",
        )
    if output is not None and output not in known:
        raise MalformedRequest(
            f"'output': expected one of {', '.join(known)}, got '{output[:100]}'"
        )
    chosen = known[output or _most_informative(known)]
    classes, task = model.classes, model.manifest["task"]
    width = int(np.prod(chosen.shape[1:]))
    several = len(chosen.shape) > 1
    labelled = chosen.name == "prediction" and task in ("classification", "clustering")
    yes_or_no = labelled and several and not _is_nested(classes)  # a number for each label
    if (labelled and not yes_or_no) or chosen.type == "string":
        labels = classes or _labels(answers, chosen.name)
        return ExplainedOutput(chosen.name, labels, labels, single=False)
    named = yes_or_no or chosen.name in ("probabilities", "score")
    if not named or width != _count(classes) or not _are_of_classes(chosen.name, classes, answers):
        classes = None
    return ExplainedOutput(chosen.name, None, classes, single=not several)


def _most_informative(known: Mapping[str, Any]) -> str:
    return next(name for name in INFORMATIVE if name in known)


def _is_nested(classes: list[Any] | None) -> bool:
    return bool(classes) and isinstance((classes or [None])[0], list)


def _count(classes: list[Any] | None) -> int:
    return sum(map(len, classes or ())) if _is_nested(classes) else len(classes or ())


def _are_of_classes(name: str, classes: list[Any] | None, answers: Sequence[Outputs]) -> bool:
    """Whether there is one score for each class: three of three classes may be of pairs instead."""
    if name != "score" or classes is None:
        return True
    return all(
        outputs["prediction"].ndim > 1
        or [classes[best] for best in outputs[name].argmax(axis=1)]
        == outputs["prediction"].tolist()
        for outputs in answers
    )


def _labels(answers: Sequence[Outputs], name: str) -> list[Any]:
    """The labels that were answered; a list for each column of several."""
    if not answers:
        return []
    together = np.concatenate([outputs[name] for outputs in answers])
    if together.ndim == 1:
        return sorted(set(together.tolist()))
    return [sorted(set(column)) for column in together.reshape(len(together), -1).T.tolist()]


def _indicators(array: Array, labels: list[Any]) -> Iterator[Array]:
    """For each label a column: 1 where it is answered, 0 elsewhere."""
    columns = array.reshape(len(array), -1).T
    for column, known in zip(columns, labels if _is_nested(labels) else [labels], strict=True):
        yield np.stack([column == label for label in known], axis=1).astype(np.float64)


def _position(label: Any, known: Sequence[Any]) -> int | None:
    for position, each in enumerate(known):
        if each == label and isinstance(each, bool) == isinstance(label, bool):
            return position
    return None
