"""An ONNX graph while converters write it: tensors with arithmetic, and tables of them.

A converter is a plain function `convert(graph, fitted, table)`. It takes what it needs out of
the table (`graph.matrix(table)`), computes with tensors as it would with NumPy arrays, and
returns the answers of the estimator's methods, by name. Whatever nobody asks for is dropped from
the finished graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._set_output import _get_output_config

from onnxlet.convert.graph.builder import Nodes, Precision
from onnxlet.convert.graph.table import Table
from onnxlet.convert.graph.tensor import DROPPED, ELEMENTS, Tensor, Unsupported
from onnxlet.convert.graph.validation import raising
from onnxlet.convert.sources.users_code import lines_of, where

__all__ = [
    "DROPPED", "ELEMENTS", "Answers", "Converter", "Graph", "Precision", "Table", "Tensor",
    "Unsupported", "labelled",
]  # fmt: skip

Answers = Mapping[str, Tensor | Table]
Converter = Callable[["Graph", Any, Table], Mapping[str, Tensor | Table | list[Tensor]]]
MEND_IT = "Mend the converter (docs/converters.md); --debug shows the whole traceback."


class Graph(Nodes):
    """Asks converters for the answers of estimators.

    Attributes:
        last_in_float32: skl2onnx's own operators are given float32, whatever the precision.
        raising: where rows hold what scikit-learn raises for inside the model; bool tensors, if
            the graph watches for that.
    """

    def __init__(
        self,
        precision: Precision,
        converters: Mapping[type, Converter],
        fallback: Converter | None = None,
        last_in_float32: bool = False,
        watches: bool = False,
    ) -> None:
        super().__init__(precision)
        self.last_in_float32 = last_in_float32
        self.raising: list[Tensor] = []
        self._watches = watches
        self._converters = converters
        self._fallback = fallback
        self._asked: dict[tuple[int, tuple[str, ...]], tuple[Any, Answers]] = {}
        self._path: list[str] = []

    def answers(self, fitted: Any, table: Table) -> Answers:
        """All that a fitted estimator answers, by method; the same question is asked once.

        Raises:
            Unsupported: it has no conversion; the message names it.
        """
        key = (id(fitted), tuple(tensor.name for tensor in table.tensors))
        if key not in self._asked:
            self._path.append(type(fitted).__name__)
            try:
                convert = self._converters.get(type(fitted), self._fallback)
                if convert is None:
                    raise Unsupported("it has no converter")
                if self._watches and not self.inside:
                    self.raising += raising(fitted, table)
                self._asked[key] = (fitted, _answered(convert, self, fitted, table))
            except Unsupported as error:
                if error.args[0].startswith("step "):
                    raise
                raise Unsupported(f"step {' > '.join(self._path)}: {error}", error.hint) from error
            finally:
                self._path.pop()
        return self._asked[key][1]

    def ask(self, fitted: Any, table: Table, method: str) -> Tensor:
        """One method's answer in one tensor of shape (rows, width).

        `places` are int64 places in `classes_`; `predict` is made of them for classifiers.

        Raises:
            Unsupported: it has no conversion.
        """
        answers = self.answers(fitted, table)
        if method in answers:
            answer = answers[method]
            if isinstance(answer, Tensor):
                return answer
            alike = len({tensor.dtype for tensor in answer.tensors}) == 1
            return self.concat(answer.tensors) if alike else self.matrix(answer)
        if method == "predict" and "places" in answers:
            return self.labels(self.ask(fitted, table, "places"), fitted.classes_)
        raise self._lacks(fitted, answers, method)

    def _lacks(self, fitted: Any, answers: Answers, method: str) -> Unsupported:
        step = f"step {type(fitted).__name__}"
        if place := self.written_in(fitted):
            told = (
                f"its converter returns {', '.join(answers) or 'nothing'} and not {method}{place}"
            )
            return Unsupported(f"{step}: {told}", MEND_IT)
        return Unsupported(f"{step}: its {method} has no conversion")

    def written_in(self, fitted: Any) -> str:
        """Where its converter is, in brackets, if it is the user's own; '' if it is not."""
        convert = self._converters.get(type(fitted))
        return lines_of(convert) if convert else ""

    def labels(self, places: Tensor, classes: Any) -> Tensor:
        """The classes at places; with a list of each output's classes, a column for each."""
        if not isinstance(classes, list) or not any(np.ndim(known) for known in classes):
            return places.look_up(classes)
        columns = [places.take([output]).look_up(known) for output, known in enumerate(classes)]
        if len({column.dtype for column in columns}) > 1:
            raise Unsupported("the labels of its outputs are of different types")
        return self.concat(columns)

    def transform(self, fitted: Any, table: Table) -> Table:
        """A transformer's columns."""
        answers = self.answers(fitted, table)
        answer = answers.get("transform")
        if answer is None:
            raise self._lacks(fitted, answers, "transform")
        made = answer if isinstance(answer, Table) else Table((answer,))
        if isinstance(fitted, Pipeline | FunctionTransformer):  # these know the names themselves
            return made
        wrapped = _get_output_config("transform", fitted)["dense"] != "default"
        if made.frame and not (wrapped and hasattr(fitted, "get_feature_names_out")):
            return made
        if not wrapped:
            return Table(tuple(replace(tensor, labels=()) for tensor in made.tensors))
        if not hasattr(fitted, "get_feature_names_out"):
            return labelled(made, table.labels if made.width == table.width else ())
        return labelled(made, fitted.get_feature_names_out().tolist())


def _answered(convert: Converter, graph: Graph, fitted: Any, table: Table) -> Answers:
    """What a converter returns, a list of tensors as the table that it stands for.

    Raises:
        Unsupported: what it says it can't write; or its own mistake, with the line of it.
    """
    try:
        answers = convert(graph, fitted, table)
    except Unsupported:
        raise
    except Exception as error:
        if place := where(error):  # a converter of the user's own
            said = " ".join(str(error).split())[:160]
            raise Unsupported(
                f"its converter raised {type(error).__name__}: {said}{place}", MEND_IT
            ) from error
        raise
    if not isinstance(answers, Mapping):
        raise _returned(convert, "a dictionary of answers by method", answers)
    if type(answers) is not dict:  # one of ours, which answers as it is asked
        return cast(Answers, answers)
    made = {
        method: Table(tuple(answer)) if isinstance(answer, list) else answer
        for method, answer in answers.items()
    }
    for method, answer in made.items():
        parts = answer.tensors if isinstance(answer, Table) else (answer,)
        if wrong := [part for part in parts if not isinstance(part, Tensor)]:
            raise _returned(convert, f"a tensor as its {method}", wrong[0])
    return made


def _returned(convert: Converter, expected: str, got: Any) -> Unsupported:
    return Unsupported(
        f"its converter returns {type(got).__name__}, expected {expected}{lines_of(convert)}",
        MEND_IT,
    )


def labelled(table: Table, names: Sequence[Any]) -> Table:
    """With the names that a DataFrame's columns get, for steps that select by name."""
    tensors, start = [], 0
    for tensor in table.tensors:
        tensors.append(replace(tensor, labels=tuple(names[start : start + tensor.width])))
        start += tensor.width
    return Table(tuple(tensors))
