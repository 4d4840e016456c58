"""What scripts and notebooks import: `from onnxlet import build, train, verify`.

What does the work is imported once one of them is called: a notebook's first cell is short.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxlet.convert.in_python import in_python
from onnxlet.convert.progress import Report

if TYPE_CHECKING:
    from onnxlet.convert.prove.proof import Proof
    from onnxlet.convert.proven_model import ProvenModel


def defaults_of(function: Any) -> dict[str, Any]:
    """The default of each argument, by name; one that is needed has a default that nothing is."""
    return {name: one.default for name, one in signature(function).parameters.items()}


@in_python
def build(
    model: Any,
    X_test: Any,
    y_test: Any = None,
    X_train: Any = None,
    *,
    name: str,
    models: str | Path = "models",
    keep_background: int | None = None,
    breaking: bool = False,
    without: Sequence[str] = (),
    with_report: bool = False,
    positive: Any = None,
    sensitive: Sequence[str] = (),
    unit: str | None = None,
    describe: str | Path | None = None,
    report: Report = print,
) -> ProvenModel:
    """Convert a fitted estimator, prove that its answers stay the same, and write a version.

    Args:
        model: the estimator or pipeline, fitted.
        X_test: held-out rows, in the form that it was fitted on.
        y_test: what they should be answered with; it is scored then.
        X_train: the training rows: statistics and further evidence come from them.
        name: the model's, as clients will call it.
        models: the folder of model directories.
        keep_background: explain from so many training rows, which go with the model; without it
            from made-up ones.
        breaking: clients of the version that is served need not go on with this one.
        without: outputs to leave out, such as `std`, where they can't be met.
        with_report: write report.html, report.md and report.json beside it; needs y_test.
        positive: of two labels the one that recall and the like are of; without it the one that
            says yes, such as ja, True or 1, or the second.
        sensitive: columns by whose groups such a report compares.
        unit: of what is predicted, such as "EUR".
        describe: a file of TOML with units and descriptions of the target and of columns.
        report: called with a line of progress at a time.

    Raises:
        Refusal: no conversion answers as scikit-learn does; the message says why and what to do.
        WrongUse: the name can't be one, the folder is none, `describe` is not to be had, or an
            argument is out of its range.
    """
    given = dict(locals())  # before any other name is there
    from threadpoolctl import threadpool_limits

    from onnxlet.convert.about import described
    from onnxlet.convert.arguments import check_arguments, several
    from onnxlet.convert.build import build as build_directory
    from onnxlet.convert.build_command import build as command
    from onnxlet.convert.directory.model_directory import check_name
    from onnxlet.convert.proven_model import ProvenModel
    from onnxlet.convert.sources.source import Source

    check_arguments(command, given, defaults_of(build))
    source = Source(model, X_test, y_test, X_train, without=several(without), positive=positive)
    check_name(name, "name")
    source = described(source, None if describe is None else Path(describe), unit)
    groups = several(sensitive) if with_report or sensitive else None
    # As `onnxlet build` sets before NumPy is imported: more threads change last digits.
    with threadpool_limits(1, user_api="blas"):
        built = build_directory(
            source, name, Path(models), report, keep_background, breaking, groups
        )
    return ProvenModel(built.directory.absolute(), name, built.version, built.manifest)


@in_python
def train(
    data: Any,
    target: str,
    *,
    name: str,
    models: str | Path = "models",
    keep_background: int | None = None,
    breaking: bool = False,
    report: Report = print,
    **options: Any,
) -> ProvenModel:
    """Search for a model of a table, fit it, prove it, and write a version with its report.

    Args:
        data: path or address of a table, CSV or Parquet, or of a folder of images in a folder for
            each label; or a frame, in which images may be bytes, paths, arrays or Pillow's.
        target: the column to predict.
        name: the model's, as clients will call it.
        models: the folder of model directories.
        keep_background: explain from so many training rows, which go with the model; without it
            from made-up ones.
        breaking: clients of the version that is served need not go on with this one.
        report: called with a line of progress at a time.
        options: those of `convert.train.preparing.Options`: seconds, metric, positive (of two
            labels the one that recall and the like are of), sensitive, group, time, split,
            refit, task, columns (kinds by name), seed, trials, small, test, augment,
            scheduler, sheet (of a workbook, or cells of it), decimal and images_from (the folder
            outside of which no text in `data` opens an image; without it the table's own, or the
            working directory for a frame), unit (of the target) and describe (a file of units and
            descriptions).

    Raises:
        Refusal: there is nothing to learn from, or nothing that could be served.
        WrongUse: the table can't be read, or an option names what is not in it.
    """
    passed = dict(locals())  # before any other name is there
    from threadpoolctl import threadpool_limits

    from onnxlet.convert.arguments import check_arguments, several
    from onnxlet.convert.proven_model import ProvenModel
    from onnxlet.convert.train import command
    from onnxlet.convert.train.preparing import Options
    from onnxlet.convert.train.refit import ModelDestination
    from onnxlet.convert.train.training import train as train_directory

    defaults = {**defaults_of(train), **vars(Options())}
    del defaults["options"]
    check_arguments(command.train, {**passed.pop("options"), **passed}, defaults)
    if "sensitive" in options:
        options["sensitive"] = several(options["sensitive"])
    given = os.fspath(data) if isinstance(data, str | Path) else data
    to = ModelDestination(name, Path(models), keep_background, breaking)
    with threadpool_limits(1, user_api="blas"):
        built = train_directory(given, target, Options(**options), to, report).built
    return ProvenModel(built.directory.absolute(), name, built.version, built.manifest)


@in_python
def verify(directory: str | Path) -> ProvenModel:
    """Check a model directory's hashes and replay its golden rows.

    Args:
        directory: of one version, `models/NAME/VERSION`.

    Raises:
        ModelError: there is no such version, a file is altered or missing, or an answer is not
            scikit-learn's.
        WrongUse: it is the folder of a model, or of several.
    """
    from onnxlet.convert.directory.golden import verify as verify_directory
    from onnxlet.convert.directory.model_directory import check_version
    from onnxlet.convert.proven_model import ProvenModel

    check_version(Path(directory))
    model, _ = verify_directory(Path(directory).resolve())
    return ProvenModel(Path(directory).absolute(), model.name, model.version, dict(model.manifest))


@in_python
def prove(
    subject: Any,
    model: Any,
    X_test: Any,
    X_train: Any = None,
    *,
    float32: bool = False,
    without: Sequence[str] = (),
    seconds: float = 30.0,
    key: str | None = None,
    report: Report = print,
) -> Proof:
    """Compare what others made of a fitted estimator with it, by the evidence of `build`.

    Args:
        subject: the path of an .onnx file or of a model directory, what `build` has returned, the
            address of an endpoint, "file.py:function", a function that is given rows as the
            estimator takes them, or an object with the estimator's methods. A function returns
            predictions, or probabilities, or both as a pair or by name.
        model: the estimator or pipeline, fitted.
        X_test: held-out rows, in the form that it was fitted on.
        X_train: the training rows: further evidence comes from them.
        float32: the subject computes in float32: both are asked numbers that float32 holds, and
            rows that its rounding decides are counted apart.
        without: outputs that are not compared, such as `std`.
        seconds: that an endpoint may take for one answer.
        key: an endpoint's, sent as a bearer token.
        report: called with a line of progress at a time.

    Returns:
        A proof, which is true where all answers are `equal`: else it has the counts, the smallest
        `example` and the likely `causes`.

    Raises:
        WrongUse: the subject is not there, or can't be matched; the message lists both sides.
        SubjectFailed: the subject can't be asked.
        Refusal: the estimator does not answer X_test, or otherwise each time.
    """
    from threadpoolctl import threadpool_limits

    from onnxlet.convert.arguments import several
    from onnxlet.convert.prove.prove import prove as compared
    from onnxlet.convert.prove.subjects import opened
    from onnxlet.convert.sources.source import Source

    source = Source(model, X_test, None, X_train, without=several(without))
    with threadpool_limits(1, user_api="blas"):
        return compared(source, opened(subject, seconds, key), report, float32)
