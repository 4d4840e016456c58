"""Answers record batches as HTTP answers the same rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from onnxlet.convert.record_batches import answers
from onnxlet.convert.record_batches.arrays import column_of
from onnxlet.convert.record_batches.kinds import csv_schema, is_csv, misfit
from onnxlet.convert.record_batches.reading import Reader
from onnxlet.function.arrays import Array
from onnxlet.function.csv import text as csv_text
from onnxlet.function.errors import InvalidRows, Problem, Problems, RequestError, WrongUse
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.cell_validation import Guesses
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.compared import Found
from onnxlet.function.serving import options, predict, unusual

if TYPE_CHECKING:
    from onnxlet.convert.record_batches.contributions import Contributions

__all__ = ["BatchAnswers", "Scorer", "csv_schema"]
METADATA = b"onnxlet"  # of the schema of answers: model and version, as JSON


@dataclass(frozen=True)
class AnswerOptions:
    """What is wanted of each answer: what a request's members and query say in HTTP.

    One that is out of its range raises WrongUse.
    """

    # Of prediction intervals or sets, strictly between 0 and 1; None wants none.
    coverage: float | None = None
    explain: bool = False  # the contribution of every column to every answer
    k: int | None = None  # how many options, from 1; None leaves it to the model
    unusual: bool = False  # mark rows that are unlike the training rows

    def __post_init__(self) -> None:
        if self.coverage is not None and not 0 < self.coverage < 1:
            expected = "a number between 0 and 1, such as 0.9"
            raise WrongUse(f"coverage: expected {expected}, got {self.coverage}")
        if self.k is not None and self.k < 1:
            raise WrongUse(f"k: expected a whole number from 1, got {self.k}")


PLAIN = AnswerOptions()


class BatchAnswers(NamedTuple):
    """The answers to a record batch."""

    columns: Any  # one row for each that was given, null where it can't be answered
    # What is wrong with rows, by their indices in the batch, in order; of the column `explanation`
    # where a row is answered, and its answer can't be explained.
    problems: Sequence[Problem]
    problem_count: int  # how many there are
    bad: list[int]  # the indices of the rows that were not answered, in order

    def by_row(self) -> dict[int, list[Problem]]:
        """The problems of each row that is not answered, or not explained, in order."""
        found: dict[int, list[Problem]] = {row: [] for row in self.bad}
        for problem in self.problems:
            found.setdefault(problem.row or 0, []).append(problem)
        return dict(sorted(found.items()))


def reasons(problems: Sequence[Problem]) -> str:
    """Why a row can't be answered, in words that don't name it."""
    return "; ".join(str(problem._replace(row=None)) for problem in problems)


class Scorer:
    """A model that answers record batches of a schema; safe from several threads at once.

    `csv_schema` makes the schema of fields of CSV. To a model fitted on a bare array one column of
    lists, such as `input`, is its rows. `schema` is of the answers, `needed` are the columns to
    read, in the signature's order. `rows_at_once` are run together, where a batch is split inside,
    such as one of images: a batch of more only takes more memory; None where it need not be split.

    Raises:
        WrongUse: with every column that is missing, or of a type of which no value can fit;
            or the model has not what is wanted.
    """

    def __init__(self, model: Model, given: Any, wanted: AnswerOptions = PLAIN) -> None:
        self._wanted = wanted
        self.rows_at_once = model.signature.rows_at_once
        whole = column_of(given, model.signature)
        self.needed = _needed(model, given) if whole is None else [whole]
        try:
            self._model = model if wanted.k is None else options.at_least(model, wanted.k)
            self._score = (
                None if wanted.coverage is None else options.score_at(model, wanted.coverage)
            )
            self._comparison = unusual.comparison_of(model) if wanted.unusual else None
        except RequestError as error:
            raise WrongUse(error.message, error.hint) from None
        self._reader = Reader(model.signature, is_csv(given), wanted.explain, whole)
        about: dict[str, Any] = {"model": model.name, "version": model.version}
        made = answers.fields(self._model, wanted.coverage is not None)
        self._outputs = len(made)
        made += [answers.UNUSUAL] * wanted.unusual
        self._contributions: Contributions | None = None
        if wanted.explain:
            from onnxlet.convert.record_batches.contributions import Contributions  # few want them

            self._contributions = Contributions(model)
            made.append(self._contributions.field)
            about["explanation"] = self._contributions.about
        self.schema = pa.schema(made, metadata={METADATA: json.dumps(about)})

    def answer(self, batch: Any, faults: Mapping[int, str] | None = None) -> BatchAnswers:
        """Answer a record batch with the columns that are needed, in any order, and any others.

        `faults` are rows that are broken already, and why; they are reported with the others.
        """
        rows, left_out = batch.num_rows, LeftOut()
        left_out.problems = AllProblems()
        if not rows:
            return BatchAnswers(self._columns({}, None, None, [], 0), [], 0, [])
        table = self._reader.table(batch, left_out, faults or {})
        table, outputs = predict.run_the_good(self._model, table, left_out)
        explained = None
        if self._contributions is not None and table.rows:
            explained, found = self._contributions.of(table)
            left_out.problems.add([p._replace(row=left_out.kept[p.row or 0]) for p in found])
        unlike = self._comparison.of(table) if self._comparison and table.rows else None
        columns = self._columns(outputs, unlike, explained, left_out.kept, rows)
        bad = []
        if len(left_out.kept) < rows:
            kept = set(left_out.kept)
            bad = [row for row in range(rows) if row not in kept]
        problems = sorted(left_out.problems.first, key=lambda problem: problem.row or 0)
        return BatchAnswers(columns, problems, left_out.problems.count, bad)

    def _columns(
        self,
        outputs: Mapping[str, Array],
        found: Sequence[Found | None] | None,
        explained: Any,
        kept: Sequence[int],
        rows: int,
    ) -> Any:
        if not outputs:
            empty = [pa.nulls(rows, field.type) for field in self.schema]
            return pa.record_batch(empty, self.schema)
        if self._wanted.k is not None:
            outputs = {name: array[:, : self._wanted.k] for name, array in outputs.items()}
        if self._score is not None:
            outputs = {**outputs, **dict([options.region(self._model, self._score, outputs)])}
        made = [
            answers.column(outputs[self.schema.field(n).name], self.schema.field(n), self._model)
            for n in range(self._outputs)
        ]
        if found is not None:
            if self._score is not None:  # intervals or sets are the last of the outputs
                made[-1] = answers.withheld(made[-1], found, self.schema.names[len(made) - 1])
            made.append(answers.unusual(found))
        made += [] if explained is None else [explained]
        return pa.record_batch([answers.with_nulls(a, kept, rows) for a in made], self.schema)


def any_types(model: Model) -> Any:
    """A schema of which every model takes its columns, for what is known whatever the table."""
    return pa.schema([(c.name, pa.null()) for c in model.signature.columns if c.required])


class AllProblems(Problems):
    """Collects all problems, not only the first of them."""

    def add(self, problems: Sequence[Problem], start: int = 0) -> None:
        """Add the problems of the next rows."""
        self.count += len(problems)
        self.first += problems


def _needed(model: Model, given: Any) -> list[str]:
    names, signature = Counter(given.names), model.signature
    if is_csv(given):
        try:
            csv_text.check_header(given.names, signature)
        except InvalidRows as error:
            raise WrongUse(error.message, error.hint) from None
    twice = sorted(name for name, count in names.items() if count > 1 and name in signature.names)
    wrong = [f"column '{name}': stands twice" for name in twice]
    guesses = Guesses(names.keys() - signature.names)
    for column in signature.columns:
        if not column.required or column.name in twice:
            continue
        if column.name in names:
            why = None if is_csv(given) else misfit(column, given.field(column.name).type)
            wrong += [f"column '{column.name}': {why}"] if why else []
        elif not column.absent:
            wrong.append(f"column '{column.name}': missing{guesses[column.name]}")
    if wrong:
        raise WrongUse(
            f"the table does not fit model '{model.name}': {'; '.join(wrong)}",
            "Rename them or cast them: columns are found by their names, in any order.",
        )
    return [c.name for c in signature.columns if c.required and c.name in names]
