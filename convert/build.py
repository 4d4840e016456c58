"""From a fitted estimator to a model directory that is proven to answer as it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onnxlet.convert.about import (
    described_rows,
    metrics_of,
    monitored,
    positive_member,
    promised,
    with_ignored,
)
from onnxlet.convert.directory.background import background_file
from onnxlet.convert.directory.conformal import decided_otherwise
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
from onnxlet.convert.directory.reference_statistics import column_statistics
from onnxlet.convert.directory.unusual import unusual
from onnxlet.convert.errors import Refusal
from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.manifest import versions
from onnxlet.convert.metrics.manifest import SCORED
from onnxlet.convert.parity.attempts import Attempt
from onnxlet.convert.parity.batches import batches
from onnxlet.convert.parity.certificate import few_judges
from onnxlet.convert.parity.search import (
    find_equal_conversion,
    refuse_other_answers,
    refuse_what_has_no_converter,
)
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import leaving_out, task_of
from onnxlet.convert.reference.diagnosis import notes
from onnxlet.convert.reference.held_out import held_out_rows
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.source_evidence import reference_source, search_state
from onnxlet.convert.sources.source import Source
from onnxlet.convert.text_limits.limits import with_text_limits
from onnxlet.function import json_text
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import GRAPH, MANIFEST, Model, load_model
from onnxlet.function.outputs.back_end import ITEMS
from onnxlet.function.serving.golden import replay
from onnxlet.not_set_up import check_installed


@dataclass(frozen=True)
class Built:
    """What a build has made."""

    directory: Path  # of the version
    version: int
    new: bool  # False where the highest version was these very bytes already
    manifest: dict[str, Any]  # as written


def build(
    source: Source,
    name: str,
    folder: Path,
    report: Report,
    keep_background: int | None = None,
    breaking: bool = False,
    reported: Sequence[str] | None = None,
) -> Built:
    """Convert, prove and write the next version of a model.

    So many training rows are kept for explanations to start from; None is made-up rows. `breaking`
    says that clients of the version that is served need not go on with this one; `reported` are the
    columns of X_test, perhaps none, whose groups a report compares; None writes no report.

    Raises WrongUse where the name can't be one, there is no such output to leave out, or there can
    be no such report, and Refusal where no conversion answers as scikit-learn does, or clients of
    the version that is served could not go on; nothing was written.
    """
    if reported is not None:
        check_installed("matplotlib", "fairlearn")
        # What measures and draws takes a second to import.
        from onnxlet.convert.report.build_report import check_reported, measured_build
        from onnxlet.convert.report.files import files_of

        check_reported(source, reported)
    files, made = proven(source, name, folder, report, keep_background), None
    if reported is not None:
        report("measuring for the report")
        with loaded(name, files) as model:
            made = files_of(measured_build(source, model, reported))
    return write(folder, name, files, breaking, report, made)


def proven(
    source: Source, name: str, folder: Path, report: Report, keep_background: int | None = None
) -> dict[str, bytes]:
    """The files of a model directory by name, converted and proven; nothing is written.

    Raises as `build` does, but where clients of the version that is served could not go on.
    """
    check_name(name)
    check_folder(folder, name)
    task = leaving_out(task_of(source.estimator, source.answered_by), source.without)
    positive = positive_member(source, task)
    asked = reference_source(source, task, report)
    source, given, reference, X = asked.source, asked.given, asked.reference, asked.X
    inputs = reference.inputs
    refuse_what_has_no_converter(source.estimator)
    rows, answers = held_out_rows(source, given, reference, X)
    own, metrics = answers, metrics_of(source, task, answers)
    if metrics is None and source.y_test is not None and task.name in SCORED:
        report("note: y_test is not what the model could answer, or has gaps: it is not scored")
    if source.y_test is not None and (other := decided_otherwise(task, own)):
        report(f"note: {other}")
    described = described_rows(source, inputs, rows)
    columns = probe_columns(reference, rows)
    for note in notes(given, columns, rows):
        report(note)
    state = search_state(reference, columns, rows, described, asked.these, report)
    found = find_equal_conversion(state, report)
    if few := few_judges(found.certificate):
        report(f"note: judged by {few}")
    if found.state.reference.wide:  # scores are those of the answers that were compared with
        answers = found.state.reference.answers(inputs.rows(X))
        metrics = metrics_of(source, task, answers)
    earlier = highest_manifest(folder, name)
    manifest = with_text_limits(found.attempt.manifest, rows, earlier, report)
    manifest = {**with_ignored(manifest, source, inputs), **positive}
    if source.descriptions is not None:
        signature = source.descriptions.within(manifest["signature"])
        manifest = {**manifest, "signature": signature}
    accepted = replace(found.attempt, manifest=manifest)
    model = accepted.model.with_manifest(manifest)
    refuse_other_answers(model, found.state, rows, own)
    about: dict[str, Any] = {
        **({"origin": source.origin} if source.origin else {}),
        "parity": found.certificate,
        "statistics": column_statistics(*described, source.estimator),
    }
    found.certificate["batches"] = batches(model, rows)
    if source.before is not None:
        found.certificate["replayed"] = True
        about |= promised(source.before, len(described.rows))
    else:
        about["metrics"] = metrics
        about |= monitored(model, described, rows, task, answers, source, metrics)
    if compared := unusual(model, about, described.rows, rows):
        about["unusual"] = compared
        if source.before is not None:  # of rows that were not learned from
            compared["held_out"] = source.before["unusual"]["held_out"]
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
    return files


@contextmanager
def loaded(name: str, files: Mapping[str, bytes]) -> Iterator[Model]:
    """A model, loaded as a server will load it: from its files, which are there meanwhile."""
    with TemporaryDirectory() as folder:
        directory = Path(folder) / name / "1"
        directory.mkdir(parents=True)
        for file, content in files.items():
            (directory / file).write_bytes(content)
        yield load_model(directory)


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
    directory = folder / name / str(version)
    return Built(directory, version, new, json_text.loads(read_file(directory, MANIFEST)))
