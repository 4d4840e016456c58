"""The report of a build, where the true answers to its held-out rows are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnxlet.convert.progress import Report
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.files import files_of
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import Model

HINT = "Return (estimator, X_test, y_test), or name the column of --data with --target."


def report_of(
    source: Source, report: Report, sensitive: Sequence[str] = ()
) -> Callable[[Model], dict[str, bytes]]:
    """What makes the files of a build's report, once there is the model that will be served.

    It compares the groups of the sensitive columns of X_test. Raises WrongUse where the source has
    no true answers to compare with, or no such column.
    """
    if source.y_test is None:
        raise WrongUse("--report: expected true answers to the held-out rows, got none", HINT)
    columns = [str(name) for name in getattr(source.X_test, "columns", ())]
    for name in sensitive:
        if name not in columns:
            hint = f"There are {', '.join(columns[:20])}." if columns else "X_test has no names."
            raise WrongUse(f"--sensitive: there is no column '{name}' in X_test", hint)

    def made(model: Model) -> dict[str, bytes]:
        report("measuring for the report")
        return files_of(measured_build(source, model, sensitive))

    return made


def measured_build(source: Source, model: Model, sensitive: Sequence[str] = ()) -> Measured:
    """What is known of a model that is built: no version yet, no answers of its training rows."""
    return Measured(
        model.name, model, source.estimator, source.X_test, source.y_test,
        target=source.target, X_train=source.X_train, descriptions=source.descriptions,
        sensitive={name: source.X_test[name].to_numpy() for name in sensitive},
    )  # fmt: skip
