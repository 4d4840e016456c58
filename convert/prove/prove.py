"""From a subject and a source to a proof: a certificate, or what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from onnxlet.convert.about import described_rows
from onnxlet.convert.parity.certificate import measured
from onnxlet.convert.progress import Report
from onnxlet.convert.prove.causes import causes
from onnxlet.convert.prove.judge import Judge
from onnxlet.convert.prove.outputs import Matched, matched
from onnxlet.convert.prove.proof import Proof
from onnxlet.convert.prove.subject import Given, Subject, SubjectFailed
from onnxlet.convert.prove.trial import Trial, answered, tried
from onnxlet.convert.reference.answers import leaving_out, task_of
from onnxlet.convert.reference.held_out import held_out_rows
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.source_evidence import reference_source, search_state
from onnxlet.convert.sources.source import Source
from onnxlet.convert.spacing import evenly_spaced

SAMPLE = 12  # held-out rows by whose answers outputs are matched
Opened = Callable[[Given], Subject]


def prove(source: Source, opened: Opened, report: Report, single: bool = False) -> Proof:
    """Compare a subject with a source's estimator on all of a build's evidence.

    `opened` makes the subject, once it is known what the estimator is given; `single` says that it
    computes in float32, so that both are asked numbers rounded to that.

    Raises Unmatched where inputs or outputs can't be matched, SubjectFailed where the subject can't
    be asked, and Refusal where the estimator does not answer X_test, or not each time the same.
    """
    task = leaving_out(task_of(source.estimator, source.answered_by), source.without)
    asked = reference_source(source, task, report)
    reference = asked.reference
    rows, _ = held_out_rows(asked.source, asked.given, reference, asked.X)
    columns = probe_columns(reference, rows)
    needed = frozenset(column.name for column in columns if column.required)
    subject = opened(Given(reference, needed))
    match = _matched(subject, reference, rows)
    columns = subject.limited(columns)
    described = described_rows(asked.source, reference.inputs, rows)
    state = search_state(reference, columns, rows, described, asked.these, report)
    report(f"asking {subject.name}")
    return _proof(tried(replace(state, single=single), match), report)


def _matched(subject: Subject, reference: Reference, rows: list[Cells]) -> Matched:
    """The subject's outputs, matched by what it answers to some held-out rows."""
    some = evenly_spaced(rows, SAMPLE)
    why = next(filter(None, map(subject.unasked, some)), "")
    some = [row for row in some if not subject.unasked(row)]
    reasons: list[str] = []

    def answer(rows: list[Cells]) -> None:
        try:
            subject.outputs(rows)
        except Exception as error:
            reasons.append(getattr(error, "message", str(error)))
            raise

    found = answered(answer, some)
    some = [row for row, is_one in zip(some, found, strict=True) if is_one]
    if not some:
        raise SubjectFailed(
            f"{subject.name} answers no held-out row: {(reasons or [why])[-1]}",
            "Ask it one of them by hand: no row could be compared.",
        )
    return matched(subject, reference.task, some, reference.answers(some))


def _proof(trial: Trial, report: Report) -> Proof:
    state, match, reference = trial.state, trial.matched, trial.state.reference
    evidence, refused, wrong = state.evidence, trial.refused, trial.comparison.wrong
    none = evidence.only(np.zeros(len(evidence.rows), dtype=bool))
    parity = measured(
        trial.comparison,
        reference,
        evidence,
        replace(none, raising=()),
        trial.unrefused,
        trial.limits,
    )
    # Edge cases come last: where too many others differ, they are not compared.
    not_compared = min(trial.comparison.left_out, evidence.edge_cases)
    parity |= {
        "differing_rows": len(wrong) + len(refused.rows),
        "hard_rows": evidence.edge_cases - not_compared,
        "drawn_rows": evidence.drawn - (trial.comparison.left_out - not_compared),
    }
    counts = {
        "held-out": parity["held_out_rows"],
        "edge-case": parity["hard_rows"],
        "drawn": parity["drawn_rows"],
    }
    classes = {} if reference.task.classes is None else {"classes": reference.task.classes}
    example, why = None, []
    judge = Judge(trial)
    if not trial.equal:
        report("looking for the smallest example, and for the cause")
        example, why = judge.example(), causes(judge)
    return Proof(
        match.subject.name,
        type(reference.estimator).__name__,
        trial.equal,
        parity,
        {"task": reference.task.name, "graph": {}, **classes},
        {kind: count + len(refused.kinds[kind]) for kind, count in counts.items()},
        {
            kind: sum(row in at for row in wrong) + len(refused.kinds[kind])
            for kind, at in evidence.kinds.items()
        },
        [column.name for column in reference.inputs.columns],
        example,
        why,
        list(_notes(trial)),
        judge.step(example) if example is not None else "",
    )


def _notes(trial: Trial) -> Iterator[str]:
    """What was not compared, or only within bounds."""
    names = trial.matched.names
    if absent := [name for name in trial.state.reference.task.methods if name not in names]:
        yield f"{', '.join(absent)} not compared: {trial.matched.subject.name} has no such output"
    for reason, count in trial.unasked.most_common(3):
        yield f"{count} rows not asked: {reason}"
    if trial.comparison.left_out:
        yield f"{trial.comparison.left_out} rows not compared: too many of the others differ"
    if trial.state.single:
        yield "both were asked numbers rounded to float32"
    if trial.refused.rows:
        count = len(trial.refused.rows)
        yield f"{count} rows are refused that the estimator answers: {trial.reason}"
    if trial.comparison.refused:
        yield f"some rows are refused only beside others: {trial.comparison.refused[0]}"
    if trial.forgiven:
        yield f"{trial.forgiven} differ only where the last digits of their numbers do"
