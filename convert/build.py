"""From a fitted estimator to a model directory that is proven to answer as it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.directory.background import background_file
from onnxlet.convert.directory.conformal import conformal_table
from onnxlet.convert.directory.expected_performance import expected_performance
from onnxlet.convert.directory.golden import choose_golden
from onnxlet.convert.directory.items import (
    NO_EXPLANATIONS,
    golden_sentences,
    items_file,
    items_of,
    named,
    with_items,
    with_sentences,
)
from onnxlet.convert.directory.model_directory import (
    check_folder,
    check_name,
    highest_manifest,
    sha256,
    write_version,
)
from onnxlet.convert.directory.reference_statistics import column_statistics, reference_statistics
from onnxlet.convert.errors import Refusal
from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.evidence.drawn_rows import drawing_once, like_held_out
from onnxlet.convert.evidence.evidence import Evidence, gather_evidence
from onnxlet.convert.manifest import versions
from onnxlet.convert.metrics.manifest import SCORED, score
from onnxlet.convert.metrics.positive import named as named_label
from onnxlet.convert.metrics.positive import positive_of
from onnxlet.convert.parity.attempts import Attempt, SearchState
from onnxlet.convert.parity.certificate import few_judges
from onnxlet.convert.parity.search import (
    EqualConversion,
    find_equal_conversion,
    refuse_other_answers,
    refuse_what_has_no_converter,
)
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Answers, Task, leaving_out, task_of
from onnxlet.convert.reference.diagnosis import notes
from onnxlet.convert.reference.estimators import copied, one_threaded, parts_of
from onnxlet.convert.reference.held_out import held_out_rows
from onnxlet.convert.reference.image_columns import takes_images
from onnxlet.convert.reference.inputs import Cells, InputColumn, Inputs, read_inputs
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.reference.row_forms import as_pandas, known_keys, no_table
from onnxlet.convert.sources.source import Source
from onnxlet.convert.text_limits.limits import with_text_limits
from onnxlet.function import json_text
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.monitoring.estimate import positive_index
from onnxlet.function.outputs.back_end import ITEMS
from onnxlet.function.serving.golden import replay

TRAINED = "X_train"
Beside = Callable[[Model], dict[str, bytes]]


@dataclass(frozen=True)
class Built:
    """What a build has made."""

    directory: Path  # of the version
    version: int
    new: bool  # False where the highest version was these very bytes already
    manifest: dict[str, Any]  # as written


class Described(NamedTuple):
    """The rows that statistics and backgrounds are made of."""

    columns: Sequence[InputColumn]
    rows: list[Cells]  # in signature order
    of: str  # X_train or X_test


def build(
    source: Source,
    name: str,
    folder: Path,
    report: Report,
    keep_background: int | None = None,
    breaking: bool = False,
    beside: Beside | None = None,
) -> Built:
    """Convert, prove and write the next version of a model.

    So many training rows are kept for explanations to start from; None is made-up rows. `breaking`
    says that clients of the version that is served need not go on with this one; `beside` makes the
    files of the report, for the model as it will be served.

    Raises WrongUse where the name can't be one, or there is no such output to leave out, and
    Refusal where no conversion answers as scikit-learn does, or clients of the version that is
    served could not go on; nothing was written.
    """
    check_name(name)
    check_folder(folder, name)
    task = leaving_out(task_of(source.estimator), source.without)
    positive = _positive(source, task)
    # A function in a step may write to what it is given.
    X_test = copied(source.X_test, "X_test")
    if type(X_test) is np.ndarray:  # BLAS sums in the order of the memory, which no request has
        X_test = X_test.copy(order="C")
    source = replace(source, estimator=one_threaded(source.estimator), X_test=X_test)
    given = replace(source, X_test=as_pandas(X_test))  # with the names of whatever frame it is
    keys = known_keys(source.estimator, source.X_train)
    images = takes_images(source.estimator)
    inputs, X = read_inputs(given.X_test, keys=keys, images=images)
    report(f"{task.name}: {type(source.estimator).__name__}, {len(X)} held-out rows")
    refuse_what_has_no_converter(source.estimator)
    strict = any(hasattr(part, "X_dtypes_") for part in parts_of(source.estimator))
    reference = Reference(source.estimator, task, replace(inputs, strict=strict))
    rows, answers = held_out_rows(source, given, reference, X)
    own, metrics = answers, _metrics(source, task, answers)
    if metrics is None and source.y_test is not None and task.name in SCORED:
        report("note: y_test is not what the model could answer, or has gaps: it is not scored")
    described = _described_rows(source, inputs, rows)
    columns = probe_columns(reference, rows)
    for note in notes(given, columns, rows):
        report(note)
    found = _found(reference, columns, rows, described, report)
    if found.state.reference.wide:  # scores are those of the answers that were compared with
        answers = found.state.reference.answers(inputs.rows(X))
        metrics = _metrics(source, task, answers)
    earlier = highest_manifest(folder, name)
    manifest = with_text_limits(found.attempt.manifest, rows, earlier, report)
    manifest = {**_with_ignored(manifest, source, inputs), **positive}
    accepted = replace(found.attempt, manifest=manifest)
    model = accepted.model.with_manifest(manifest)
    refuse_other_answers(model, found.state, rows, own)
    about = {
        "parity": found.certificate,
        "metrics": metrics,
        "statistics": column_statistics(*described),
        **_monitored(model, described, rows, task, answers, source.y_test, metrics),
    }
    summary = source.estimator if isinstance(source.estimator, Summary) else None
    background = None
    if summary is None:
        background = background_file(
            model, described.rows, described.of, reference, keep_background, earlier
        )
    labels = items_of(task, source, [column.name for column in inputs.columns], report)
    files = _files(accepted, found.state.evidence, about, background, labels, summary)
    if summary is not None:
        report(f"note: {NO_EXPLANATIONS}")
    elif BACKGROUND not in files:
        report(
            "no made-up row is answered: explanations need some of yours, --keep-background 50"
            if keep_background is None
            else "none of the rows to keep is answered: there will be no explanations"
        )
    made = _made(beside, name, files) if beside else None
    return write(folder, name, files, breaking, report, made)


def _with_ignored(manifest: dict[str, Any], source: Source, inputs: Inputs) -> dict[str, Any]:
    """A manifest that names what stands beside the columns in the user's own table."""
    y_test = source.y_test
    of_answers = getattr(y_test, "columns", None)  # of several outputs
    target = source.target or (getattr(y_test, "name", None) if of_answers is None else None)
    beside = [*source.left_out, *([target] if of_answers is None else of_answers)]
    known = {column.name for column in inputs.columns}
    named = list(dict.fromkeys(n for n in beside if isinstance(n, str) and n not in known))
    if not inputs.frame or not named:
        return manifest
    signature = {**manifest["signature"], "ignored": named}
    return {
        **manifest,
        "signature": signature,
        **({"target": target} if target in named else {}),
        **({"decimal": source.decimal} if source.decimal else {}),
    }


def _positive(source: Source, task: Task) -> dict[str, Any]:
    """The manifest's `positive`: the label that rates are of, where two are there; else nothing.

    An estimator's own positive label is its second, which goes without saying. WrongUse where the
    source names one that the estimator does not answer.
    """
    classes = [] if task.classes is None or task.several else task.classes
    if source.positive is not None:
        return {"positive": named_label(source.positive, classes, "the estimator")}
    if len(classes) != 2:
        return {}
    found, _ = positive_of(classes, (1, 1))
    return {"positive": found} if found != classes[1] else {}


def _made(beside: Beside, name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """What goes beside the model, which is loaded as a server will load it: from its files."""
    with TemporaryDirectory() as folder:
        directory = Path(folder) / name / "1"
        directory.mkdir(parents=True)
        for file, content in files.items():
            (directory / file).write_bytes(content)
        return beside(load_model(directory))


def _found(
    reference: Reference,
    columns: Sequence[Column],
    rows: Sequence[Cells],
    described: Described,
    report: Report,
) -> EqualConversion:
    """The conversion that answers held-out rows, edge cases and drawn rows as scikit-learn does."""
    others: Sequence[Cells] = ()
    if described.of == TRAINED:
        others = like_held_out(reference.inputs.columns, rows, described.columns, described.rows)
    draw = drawing_once()
    evidence, judging = gather_evidence(reference, columns, rows, others=others, draw=draw)
    report(
        f"comparing on {evidence.held_out} held-out rows, {evidence.edge_cases} edge cases "
        f"and {evidence.drawn + judging.drawn} drawn rows"
    )
    state = SearchState(reference, columns, evidence, judging, others=others, draw=draw)
    found = find_equal_conversion(state, report)
    if few := few_judges(found.certificate):
        report(f"note: judged by {few}")
    return found


def _metrics(source: Source, task: Task, answers: Answers) -> dict[str, Any] | None:
    count = len(answers["prediction"])
    if source.y_test is not None and np.shape(source.y_test)[:1] != (count,):
        raise Refusal(
            f"y_test: expected {count} values, as many as X_test has rows, "
            f"got the shape {np.shape(source.y_test)}",
            "Return the answers of X_test's own rows, in their order.",
        )
    return score(task, answers, source.y_test)


def _monitored(
    model: Model,
    described: Described,
    rows: Sequence[Cells],
    task: Task,
    answers: Answers,
    y_test: Any,
    metrics: dict[str, Any] | None,
) -> dict[str, Any]:
    """What a server measures drift and expected performance by, and makes intervals of."""
    # Of a y_test that is not what the model could answer nothing is expected.
    positive = positive_index(model.manifest)
    estimate = None if metrics is None else expected_performance(task, answers, y_test, positive)
    steps = sum(2 * len(each["calibrated"]) for each in (estimate or {}).get("classes", ()))
    made = {
        "reference": reference_statistics(
            model, described.rows, described.of, rows, answers, steps
        ),
        "estimate": estimate,
        "conformal": conformal_table(task, answers, y_test),
    }
    return {name: member for name, member in made.items() if member is not None}


def _described_rows(source: Source, inputs: Inputs, rows: list[Cells]) -> Described:
    """The training rows where there are some, else the held-out ones."""
    if source.X_train is None:
        return Described(inputs.columns, rows, "X_test")
    keys = {column.name: column.type for column in inputs.columns}
    trained, X = read_inputs(source.X_train, TRAINED, keys, any(c.image for c in inputs.columns))
    if trained.form == "dictionaries" != inputs.form:
        raise no_table(source.X_train, TRAINED)
    names = [column.name for column in inputs.columns]
    if [column.name for column in trained.columns] != names:
        raise Refusal(
            "X_train has other columns than X_test",
            "Return both in the same form, with the same columns in the same order.",
        )
    return Described(trained.columns, trained.rows(X), TRAINED)


def _files(
    accepted: Attempt,
    evidence: Evidence,
    described: dict[str, Any],
    background: tuple[dict[str, Any], bytes] | None,
    labels: Sequence[int] | Sequence[str] | None,
    summary: Summary | None,
) -> dict[str, bytes]:
    """The bytes of a model directory, once the golden rows have gone through JSON."""
    count = evidence.held_out
    golden = choose_golden(
        evidence.rows[:count],
        {
            name: evidence.expected[name][:count]
            for name in accepted.comparison.outputs
            if summary is None or name != "score"  # which short documents have none of
        },
        accepted.comparison.doubtful[:count],
        accepted.comparison.floors,
    )
    served, contents = accepted.manifest, dict[str, bytes]()
    if labels is not None:
        served, contents = with_items(served, labels), {ITEMS: items_file(labels)}
        golden["answers"]["prediction"] = named(golden["answers"]["prediction"], labels)
    if summary is not None:
        served, golden = with_sentences(served), golden_sentences(golden, summary)
    parts = {
        GRAPH: accepted.converted.onnx,
        "golden.json": json_text.dumps(golden),
        **contents,
    }
    if background is not None:
        described["background"], parts[BACKGROUND] = background
    images = any("image" in each for each in accepted.converted.inputs)
    about = {**served, **described, "versions": versions(images)}
    return proven_files(accepted.model, parts, about, golden, contents)


def proven_files(
    model: Model,
    parts: Mapping[str, bytes],
    about: Mapping[str, Any],
    golden: Mapping[str, Any],
    contents: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """The files of a model directory, once the golden rows have gone through JSON.

    `about` is the manifest but for the list of its files; `contents` are those that the back end
    reads. Refusal: a golden row is not answered as it was.
    """
    manifest = {**about, "files": {file: sha256(content) for file, content in parts.items()}}
    faults = replay(model.with_manifest(manifest, contents), golden)
    if faults:
        raise Refusal(f"the golden rows are not answered through JSON: {faults[0]}")
    return {**parts, "manifest.json": json_text.dumps(manifest)}


def write(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    breaking: bool,
    report: Report,
    beside: Mapping[str, bytes] | None = None,
) -> Built:
    """Write the next version of a model, or find that the highest is these very bytes."""
    version, new = write_version(folder, name, files, breaking, report, beside)
    manifest = json_text.loads(files["manifest.json"])
    return Built(folder / name / str(version), version, new, manifest)
