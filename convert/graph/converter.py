"""What a converter is given and what it returns: a graph, tensors with arithmetic, and tables.

A converter is a plain function `convert(graph, fitted, table)`. It takes what it needs out of the
table (`graph.matrix(table)`), computes with tensors as it would with NumPy arrays, and returns the
outputs of the estimator's methods, by name. Nodes that no output of the finished model needs are
dropped, so a converter may write every method that it knows.

Converters import their names from here; `tensor`, `table` and `builder` define most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._set_output import _get_output_config

from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.additive import Additive
from onnxlet.convert.graph.builder import GraphBuilder
from onnxlet.convert.graph.nodes import ELEMENTS, Unsupported
from onnxlet.convert.graph.table import Table
from onnxlet.convert.graph.tensor import DATE, DROPPED, Precision, Tensor
from onnxlet.convert.graph.validation import raising
from onnxlet.convert.sources.users_code import lines_of, where
from onnxlet.folders import documented

__all__ = [
    "DATE", "DROPPED", "ELEMENTS", "Converter", "Graph", "Outputs", "Precision", "Table", "Tensor",
    "Unsupported", "labelled",
]  # fmt: skip

# By method: "transform", "predict", "predict_proba", …; "class_index" is int64, the index of the
# predicted class in `classes_`, one column for each output.
Outputs = Mapping[str, Tensor | Table]
Converter = Callable[["Graph", Any, Table], Mapping[str, Tensor | Table | list[Tensor]]]
# What the answers of these methods are called in a signature.
OUTPUTS = {"predict_proba": "probabilities", "decision_function": "score", "std": "std"}
FIX_IT = (
    f"Fix the converter{documented(' (docs/how-to/converters.md)')}; "
    "--debug shows the whole traceback."
)


class Graph(GraphBuilder):
    """A graph under construction that converts estimators, each by the converter of its class.

    Attributes:
        last_in_float32: what skl2onnx writes is given float32, whatever the precision.
        raising: bool tensors that mark rows for which a step inside the model raises in
            scikit-learn; empty unless the graph watches for that.
        additive: what the scores of estimators are sums of, by their id.
        given_sparse: the ids of estimators that scikit-learn gives sparse rows.
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
        self.additive: dict[int, Additive] = {}
        self.given_sparse: frozenset[int] = frozenset()
        self.watches = watches
        self._converters = converters
        self._fallback = fallback
        # The estimator is kept beside its outputs: only while it lives is its id its own.
        self._converted: dict[tuple[int, tuple[str, ...]], tuple[Any, Outputs]] = {}
        self._path: list[str] = []

    def convert(self, fitted: Any, table: Table) -> Outputs:
        """The outputs of a fitted estimator's methods, by name.

        An estimator is converted once for each table that it is given.

        Raises:
            Unsupported: it has no conversion; the message names the steps that lead to it.
        """
        key = (id(fitted), tuple(tensor.name for tensor in table.tensors))
        if key not in self._converted:
            self._path.append(type(fitted).__name__)
            try:
                convert = self._converters.get(type(fitted), self._fallback)
                if convert is None:
                    raise Unsupported("it has no converter")
                if self.watches and not self.inside:
                    self.raising += raising(fitted, table)
                self._converted[key] = (fitted, _outputs(convert, self, fitted, table))
            except Unsupported as error:
                raise self.located(error) from error
            finally:
                self._path.pop()
        return self._converted[key][1]

    def located(self, error: Unsupported, path: Sequence[str] = ()) -> Unsupported:
        """With the steps that lead to it, unless it was raised, and named, further inside."""
        if error.args[0].startswith("step "):
            return error
        return Unsupported(f"step {' > '.join(path or self._path)}: {error}", error.hint)

    @property
    def path(self) -> Sequence[str]:
        """The classes of the steps that lead to the one that is being converted."""
        return tuple(self._path)

    def call(self, fitted: Any, table: Table, method: str) -> Tensor:
        """The output of one method, in one tensor of shape (rows, width).

        `class_index` is int64, the index in `classes_`; a classifier's `predict` is looked up
        by it.

        Raises:
            Unsupported: it has no conversion.
        """
        outputs = self.convert(fitted, table)
        if method in outputs:
            output = outputs[method]
            if isinstance(output, Tensor):
                return output
            kinds = {tensor.dtype for tensor in output.tensors}
            same = len(kinds) == 1
            if "string" in kinds and not same:
                raise Unsupported(
                    f"step {type(fitted).__name__}: its {method} answers text beside numbers",
                    "An answer holds one type of values: encode the text, or drop it "
                    "(remainder='drop').",
                )
            return self.concat(output.tensors) if same else self.matrix(output)
        if method == "predict" and "class_index" in outputs:
            return self.labels(self.call(fitted, table, "class_index"), fitted.classes_)
        raise self._lacks(fitted, outputs, method)

    def refuse_rows(self, flags: Tensor) -> None:
        """Mark rows that the estimator raises for; nothing where the graph does not watch.

        Args:
            flags: bool, of shape (rows, columns): any of them marks its row.
        """
        if self.watches and not self.inside:
            self.raising.append(flags)

    def _lacks(self, fitted: Any, outputs: Outputs, method: str) -> Unsupported:
        step = f"step {type(fitted).__name__}"
        if lines := self.lines_of_converter(fitted):
            got = ", ".join(outputs) or "nothing"
            return Unsupported(
                f"{step}: its converter returns {got} and not {method}{lines}", FIX_IT
            )
        output = OUTPUTS.get(method)
        hint = f"--without {output} leaves it out." if output and not self._path else ""
        return Unsupported(f"{step}: its {method} has no conversion", hint)

    def knows(self, kind: type) -> bool:
        """Whether a class has a converter."""
        return kind in self._converters

    def lines_of_converter(self, fitted: Any) -> str:
        """Where a user's converter of an estimator begins, in brackets; '' for this project's."""
        convert = self._converters.get(type(fitted))
        return lines_of(convert) if convert else ""

    def labels(self, class_index: Tensor, classes: Any) -> Tensor:
        """The classes by their index; with a list of each output's classes, a column for each."""
        if not isinstance(classes, list) or not any(np.ndim(known) for known in classes):
            return class_index.look_up(classes)
        columns = [class_index.take([out]).look_up(known) for out, known in enumerate(classes)]
        if len({column.dtype for column in columns}) > 1:
            raise Unsupported("the labels of its outputs are of different types")
        return self.concat(columns)

    def transform(self, fitted: Any, table: Table) -> Table:
        """A transformer's columns, under the names that scikit-learn would give them.

        Raises:
            Unsupported: it has no conversion.
        """
        outputs = self.convert(fitted, table)
        output = outputs.get("transform")
        if output is None:
            raise self._lacks(fitted, outputs, "transform")
        made = output if isinstance(output, Table) else Table((output,))
        if isinstance(fitted, Pipeline | FunctionTransformer):  # these name the columns themselves
            return made
        wrapped = _get_output_config("transform", fitted)["dense"] != "default"
        if made.frame and not (wrapped and hasattr(fitted, "get_feature_names_out")):
            return made
        if not wrapped:
            return labelled(made, ())
        if not hasattr(fitted, "get_feature_names_out"):
            return labelled(made, table.labels if made.width == table.width else ())
        try:
            names = list(fitted.get_feature_names_out())
        except AttributeError:  # a step inside has no names: pandas' columns are then numbered
            names = []
        return labelled(made, names)


def refusing(reason: str, hint: str) -> Converter:
    """A converter of what none can write: the reason, and what to use instead.

    The reason may name what the fitted estimator has, such as {0.model_name}.
    """

    def convert(graph: Graph, fitted: Any, table: Table) -> Outputs:
        raise Unsupported(reason.format(fitted), hint)

    return convert


def _outputs(convert: Converter, graph: Graph, fitted: Any, table: Table) -> Outputs:
    """What a converter returns, lists of tensors as tables.

    Unsupported is raised by the converter; or here, with the line, where a user's converter is
    wrong.
    """
    try:
        outputs = convert(graph, fitted, table)
    except Unsupported:
        raise
    except Exception as error:
        if lines := where(error):  # the user's own converter; an error in ours is a bug
            raised = f"{type(error).__name__}: {shortened(error)}{lines}"
            raise Unsupported(f"its converter raised {raised}", FIX_IT) from error
        raise
    if not isinstance(outputs, Mapping):
        raise _returned(convert, "a dictionary of outputs by method", outputs)
    if type(outputs) is not dict:  # a lazy mapping, which converts a method on access
        return cast(Outputs, outputs)
    made = {
        method: Table(tuple(output)) if isinstance(output, list) else output
        for method, output in outputs.items()
    }
    for method, output in made.items():
        parts = output.tensors if isinstance(output, Table) else (output,)
        if wrong := [part for part in parts if not isinstance(part, Tensor)]:
            raise _returned(convert, f"a tensor as its {method}", wrong[0])
    return made


def _returned(convert: Converter, expected: str, got: Any) -> Unsupported:
    return Unsupported(
        f"its converter returns {type(got).__name__}, expected {expected}{lines_of(convert)}",
        FIX_IT,
    )


def labelled(table: Table, names: Sequence[Any]) -> Table:
    """The table with names for its columns, for steps that select by name."""
    tensors, start = [], 0
    for tensor in table.tensors:
        tensors.append(replace(tensor, labels=tuple(names[start : start + tensor.width])))
        start += tensor.width
    return Table(tuple(tensors))


def framed(table: Table, names: Sequence[Any]) -> Table:
    """The table as a DataFrame with these names, whatever names its columns had."""
    return replace(labelled(table, names), frame=True)
