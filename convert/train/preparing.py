"""From a table to what is searched on: the target, the columns, and the parts of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.describe import Descriptions, read_descriptions
from onnxlet.convert.metrics.metrics import Metric, metric_named
from onnxlet.convert.metrics.resampled import ScoredAnswers, Truth
from onnxlet.convert.problems import Problem, close_to, counted, found_by, listed, refuse
from onnxlet.convert.progress import Report
from onnxlet.convert.sources.origin import Origin
from onnxlet.convert.tables.places import Places
from onnxlet.convert.tables.rows_file import HowRead
from onnxlet.convert.train.columns import (
    columns_lines,
    recognise_columns,
    typed_columns,
    wrong_choices,
)
from onnxlet.convert.train.dated import dated
from onnxlet.convert.train.kinds.category import CATEGORY
from onnxlet.convert.train.kinds.image import IMAGE, ImageColumn
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import IDENTIFIER, columns_of
from onnxlet.convert.train.splits import Splits, same_images, split, timeless, times_of
from onnxlet.convert.train.table import RawRows, rows_of, with_hashes
from onnxlet.convert.train.target import (
    LEAST_ROWS,
    TASKS,
    Target,
    read_target,
    wrong_for_target,
    wrong_target,
)
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import normalized


@dataclass(frozen=True)
class Options:
    """What may be asked of a training."""

    seconds: float = 60.0  # that the search may take
    metric: str | None = None  # what is optimised; None is the task's usual one
    sensitive: tuple[str, ...] = ()  # columns by whose groups the report compares
    group: str | None = None  # column whose equal values stay on one side of each split
    time: str | None = None  # column in whose order rows are split
    split: str = "auto"  # "random" splits at random what seems to be a history, too
    task: str | None = None  # binary, multiclass or regression; None is inferred
    positive: Any = None  # of two labels the one that rates are of; None is inferred
    columns: Mapping[str, str] = field(default_factory=dict)  # kinds by name, not to be guessed
    seed: int = 0  # of everything that is drawn
    trials: int | None = None  # candidates that are tried, not as many as the seconds allow
    small: bool = False  # of all that are as good, the smallest
    refit: bool = True  # once it was measured, on the test rows, too
    # A path or address of a table of held-out rows, or a frame of them; None sets rows apart.
    test: str | pd.DataFrame | None = None
    # Also fit candidates on copies of training rows, whose images are shifted and have noise.
    augment: bool = False
    scheduler: str | None = None  # address of Dask's, whose workers fit instead of this machine
    images_from: str | Path | None = None  # folder of images named in rows; None is the table's own
    sheet: str = ""  # of workbooks, or cells of one; "" is the first table
    decimal: str | None = None  # "point" or "comma", where files of CSV leave it open
    unit: str | None = None  # of the target, such as EUR
    describe: str | Path | None = None  # a file of TOML: units and texts of target and columns

    def by_known_names(self) -> Options:
        """These, with the names of columns as tables have them once they are read."""
        return replace(
            self,
            sensitive=tuple(map(normalized, self.sensitive)),
            group=self.group and normalized(self.group),
            time=self.time and normalized(self.time),
            columns={normalized(name): kind for name, kind in self.columns.items()},
        )

    def descriptions(self, columns: Sequence[str], target: str) -> Descriptions:
        """What is said of the target and of columns; WrongUse with all that is wrong with it."""
        path = None if self.describe is None else Path(self.describe)
        return read_descriptions(path, self.unit, columns, target)

    @property
    def how_read(self) -> HowRead:
        """What is said of how files are read."""
        return HowRead(self.sheet, self.decimal)


@dataclass(frozen=True)
class InspectedTable:
    """A table whose columns have been looked at."""

    frame: pd.DataFrame  # all columns but the target, of the rows that have one
    target: Target  # of these rows
    target_name: str
    columns: list[TableColumn]
    notes: list[str]  # what was counted and guessed, for the report
    places: Places  # where each of these rows stands; of a test set of its own in that
    held_out: int = 0  # so many last rows are those of `Options.test`
    images: Mapping[str, ImageColumn] = field(default_factory=dict)  # the frame has hashes of them
    decimal: str = ""  # as `RawRows.decimal`
    descriptions: Descriptions | None = None  # what the user says of target and columns
    origin: Origin = field(default_factory=dict)  # the files that the rows come from

    @property
    def units(self) -> dict[str, str]:
        """By column, and target, the unit that stands in the cells of those that have one."""
        found = {one.name: one.unit for one in self.columns if one.used}
        found[self.target_name] = self.target.unit
        return {name: unit for name, unit in found.items() if unit}


@dataclass(frozen=True)
class Prepared:
    """What is searched on."""

    table: InspectedTable
    X: pd.DataFrame  # the columns that are used, in the types that pipelines are fitted on
    y: Array  # one entry per row
    splits: Splits
    metric: Metric  # what is optimised

    @cached_property  # a copy of rows: once for fit, build and report
    def train_part(self) -> tuple[pd.DataFrame, Array]:
        """The rows that the search sees."""
        return self._part(self.splits.train)

    @cached_property
    def test_part(self) -> tuple[pd.DataFrame, Array]:
        """The rows that it never sees."""
        return self._part(self.splits.test)

    @property
    def all_parts(self) -> tuple[pd.DataFrame, Array]:
        """The rows of both, the test rows last."""
        return self._part(np.concatenate([self.splits.train, self.splits.test]))

    def _part(self, positions: Array) -> tuple[pd.DataFrame, Array]:
        return self.X.iloc[positions].reset_index(drop=True), self.y[positions]


def inspect_table(
    data: str | pd.DataFrame, target: str, options: Options, report: Report
) -> InspectedTable:
    """Read a table, a folder of images, or a frame, and say what each column is taken for.

    Raises:
        WrongUse: it can't be read, or has no such columns.
        Refusal: there is nothing to learn from.
    """
    target, options = normalized(target), options.by_known_names()
    table = rows_of(
        data, target, options.seed, report, images_from=options.images_from, how=options.how_read
    )
    refuse(_wrong_options(table.frame, target, options), "the options")
    descriptions = options.descriptions([str(name) for name in table.frame.columns], target)
    wanted = dict(options.columns)
    tested = None
    if options.test is not None:
        tested = _held_out(options.test, table.frame, target, options, report)
    without = [name for name in (target, options.group, options.time) if name is not None]
    known = with_hashes(table, tested, wanted, without, options.augment, report)
    frame, before = known.frame, known.before
    found = read_target(frame, target, options.task, options.positive)
    if known.images:
        same, said = same_images(found.frame[list(known.images)])
        if same is not None:
            found = found._replace(duplicates=same, notes=[*found.notes, *said])
    held_out = _count_held_out(found, before, len(frame), options.test)
    if options.group is not None:  # its values are not those of rows to come
        wanted.setdefault(options.group, IDENTIFIER.name)
    columns = recognise_columns(found.frame, found.y, found.task, wanted, known.images)
    if options.group is not None and options.group not in options.columns:
        why = "left out: rows of one stay on one side, as --group says"
        columns = [one._replace(why=why) if one.name == options.group else one for one in columns]
    alike = [
        note
        for name in [one.name for one in columns_of(columns, CATEGORY)]
        for note in spellings(found.frame[name], name)
    ]
    alike += [] if found.task == "regression" else spellings(pd.Series(found.y), target)
    for note in [*found.notes, *alike]:
        report(note)
    for line in columns_lines(columns):
        report(line)
    if options.augment and not columns_of(columns, IMAGE):
        raise WrongUse(
            "--augment: expected a column of images, got none that the model is given",
            "Only images have copies that are shifted: leave --augment out, or say which column "
            "has them, as --column photo=image does.",
        )
    notes = [*table.notes, *known.notes, *found.notes, *alike]
    files = {"tables": table.files, "held_out": tested.files if tested else ()}
    places = known.places if found.kept is None else known.places.at(found.kept)
    return InspectedTable(
        found.frame, found, target, columns, notes, places, held_out, known.images, table.decimal,
        descriptions.beside(found.unit, {one.name: one.unit for one in columns}),
        {what: of_these for what, of_these in files.items() if of_these},
    )  # fmt: skip


def spellings(column: pd.Series[Any], name: str) -> list[str]:
    """A note where texts of a column differ from another only by case, or by spaces."""
    known = [text for text in column.dropna().unique() if isinstance(text, str)]
    alike: dict[str, list[str]] = {}
    for text in known:
        alike.setdefault(" ".join(text.split()).casefold(), []).append(text)
    several = [texts for texts in alike.values() if len(texts) > 1]
    if not several:
        return []
    more = f", and {len(several) - 1} more such" if len(several) > 1 else ""
    return [
        f"'{name}': {listed(several[0])} differ only by case or spaces{more}: each is a value of "
        "its own. Write them in one way if they mean the same"
    ]


def _held_out(
    data: str | pd.DataFrame, frame: pd.DataFrame, target: str, options: Options, report: Report
) -> RawRows:
    """The rows of another table, with the same columns."""
    table = rows_of(
        data, target, options.seed, report, "--test", options.images_from, options.how_read
    )
    tested, named = table.frame, table.name
    missing = [str(name) for name in frame.columns if name not in tested.columns]
    if missing:
        raise WrongUse(
            f"--test: '{named}' has no column {listed(missing)}",
            "Expected the columns of DATA, the target among them.",
        )
    return table._replace(frame=tested[list(frame.columns)])


def _count_held_out(found: Target, before: int, rows: int, test: str | pd.DataFrame | None) -> int:
    """How many last rows are those of `test`, without those that have no target; some must be."""
    kept = np.arange(rows) if found.kept is None else found.kept
    count = int((kept >= before).sum())
    if test is not None and not count:
        named = f"'{test}'" if isinstance(test, str) else "it"
        raise WrongUse(
            f"--test: no row of {named} has a value of the target",
            "Expected the answers, to compare the model's with.",
        )
    if len(kept) - count < LEAST_ROWS:
        raise WrongUse(
            f"DATA: expected {LEAST_ROWS} rows or more beside those of --test, "
            f"got {len(kept) - count}",
            "So few say little about the rows to come: collect more.",
        )
    return count


def prepare(table: InspectedTable, options: Options, report: Report) -> Prepared:
    """Give the columns their types, and set rows apart that the search never sees.

    WrongUse where the metric is none of the task's; Refusal where there are too few rows.
    """
    metric = metric_named(options.metric, table.target.task)
    metric = metric._replace(positive=table.target.positive_index)
    _check_scored(metric, table)
    X, notes = typed_columns(table.frame, table.columns, table.images)
    frame, y, task = table.frame, table.target.y, table.target.task
    groups = None if options.group is None else frame[options.group].to_numpy()
    times = None
    if options.time is not None:
        column = next(one for one in table.columns if one.name == options.time)
        times = times_of(frame[options.time], column)
    elif options.group is None and options.split != "random":
        found = dated(frame, table.columns, y, task)
        if found is not None:
            times, notes = found.times, [*notes, found.why]
    if times is not None:
        notes += timeless(times, table.places)
    splits = split(y, task, groups, times, options.seed, table.target.duplicates, table.held_out)
    notes += _never_learnt(y, task, splits)
    for note in [*notes, splits.how]:
        report(note)
    table.notes.extend(notes)
    return Prepared(table, X.reset_index(drop=True), y, splits, metric)


def _never_learnt(y: Array, task: str, splits: Splits) -> list[str]:
    """Labels of test rows that no training row has, as of a class that is new."""
    if task == "regression":
        return []
    new = ~np.isin(y[splits.test], y[splits.train])
    if not new.any():
        return []
    labels = listed(list(dict.fromkeys(y[splits.test][new].tolist())))
    rows = f"{counted(int(new.sum()), 'test row')} of {len(new)}"
    return [f"labels that no training row has, and no model can answer, in {rows}: {labels}"]


def _check_scored(metric: Metric, table: InspectedTable) -> None:
    """Refuse a target that the metric has no number for, such as one below 0 for its logarithm."""
    y = table.target.y
    if table.target.task != "regression":
        return
    score = metric.value(Truth(y, []), ScoredAnswers(np.full(len(y), np.median(y))))
    if not np.isfinite(score):
        negative = metric.name == "rmsle" and y.min() < 0
        why = "RMSLE: expected no value below 0" if negative else "the numbers are too large for it"
        raise WrongUse(
            f"--target '{table.target_name}': {metric.title} can't be measured on values from "
            f"{y.min():.4g} to {y.max():.4g}: {why}",
            "Give another --metric, or write the target in another unit.",
        )


def _wrong_options(frame: pd.DataFrame, target: str, options: Options) -> list[Problem]:
    """Everything that is wrong with the options for a table, before its columns are looked at."""
    names = [str(name) for name in frame.columns]
    of_one = [("--group", options.group), ("--time", options.time)]
    named = [("--sensitive", column) for column in options.sensitive]
    named += [(option, column) for option, column in of_one if column is not None]
    problems = wrong_target(names, target, options.task)
    for option, column in named:
        if column not in names:
            hint = close_to(column, names)
            problems.append(Problem(f"{option}: there is no column '{column}'", hint))
        elif column == target:
            problems.append(
                Problem(f"{option}: expected a column beside the target, got '{column}'")
            )
    if options.group is not None and options.time is not None:
        problems.append(
            Problem("--group and --time: expected one of them: rows are split by groups or by time")
        )
    problems += wrong_choices(options.columns, [name for name in names if name != target])
    if target in names and (options.task is None or options.task in TASKS):
        problems += wrong_for_target(
            frame[target], target, options.task, options.metric, options.positive
        )
    problems += found_by(options.descriptions, names, target)
    return list(dict.fromkeys(problems))
