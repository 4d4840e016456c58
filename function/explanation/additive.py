"""Exact explanations of models whose score is a sum of terms: no background, no sampling.

Each term's score goes to its columns in equal shares. These are the Shapley values of the game in
which a term counts once all of its columns are known (J. Harsanyi, "A simplified bargaining model
for the n-person cooperative game", 1963).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxlet.function.arrays import Array
from onnxlet.function.explanation.explain import ExplainOptions
from onnxlet.function.explanation.target import ExplainedOutput
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model
from onnxlet.function.numpy_later import np

METHOD = "additive"
OUTPUT = "score"


def terms(model: Model) -> Mapping[str, Any] | None:
    """What the manifest says of the terms; None where the model is no sum of terms."""
    found: Mapping[str, Any] | None = model.manifest["graph"].get("terms")
    return found


def wanted(model: Model, options: ExplainOptions) -> bool:
    """Whether a request is answered from the terms: it asks for no output and no sampling."""
    return terms(model) is not None and options.output is None and options.permutations is None


def target(model: Model) -> ExplainedOutput:
    """The score: of each class, of the second of two classes, or one number."""
    classes = model.classes
    if classes is not None:
        known = classes if len(classes) > 2 else classes[1:]
        return ExplainedOutput(OUTPUT, None, known, single=False)
    return ExplainedOutput(OUTPUT, None, None, single=True)


def by_column(model: Model, scores: Array) -> Array:
    """Each column's share of the terms, of shape (rows, columns, numbers).

    The scores of the model's terms are of shape (rows, terms, numbers).
    """
    columns = [column.name for column in model.signature.columns]
    shares = np.zeros((len(columns), scores.shape[1]))
    for number, names in enumerate((terms(model) or {})["columns"]):
        shares[[columns.index(name) for name in names], number] = 1.0 / len(names)
    return np.asarray(np.einsum("ct,rtn->rcn", shares, scores))


def form(model: Model, table: CheckedBatch, options: ExplainOptions) -> dict[str, Any]:
    """The answer: the score's terms, and each column's share of them, for each row.

    Raises MalformedRequest where the model has no such class.
    """
    about, known = target(model), terms(model) or {}
    scores = model.terms(table)  # (rows, terms, numbers)
    base = np.array(known["base"], dtype=np.float64)
    if options.classes is not None:
        about.restrict(options.classes, len(base))
    columns = [column.name for column in model.signature.columns]
    contributions = by_column(model, scores)
    answers = scores.sum(axis=1) + base

    def numbers(values: Any) -> Any:
        return about.form(about.matrix({OUTPUT: values[None]})[0].tolist())

    predictions = model.run(table)["prediction"].tolist()
    explanations = [
        {
            "prediction": predictions[row],
            "answer": numbers(answers[row]),
            "contributions": {
                name: numbers(value)
                for name, value in zip(columns, contributions[row], strict=True)
            },
            "terms": [
                {"columns": names, "contribution": numbers(value)}
                for names, value in zip(known["columns"], scores[row], strict=True)
            ],
        }
        for row in range(table.rows)
    ]
    return {
        "model": model.name,
        "version": model.version,
        "method": METHOD,
        "output": OUTPUT,
        "scale": known["scale"],
        **({"classes": about.classes} if about.classes is not None else {}),
        "base_value": numbers(base),
        "evaluations": table.rows,
        "explanations": explanations,
    }
