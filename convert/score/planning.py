"""What there is to read, and the parts of it: all that is wrong is found before any is answered."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.errors import shortened
from onnxlet.convert.record_batches.kinds import is_csv
from onnxlet.convert.score.numbers import numbers_of
from onnxlet.convert.score.storage import S3, Storage, StoredFile, split, storage_of
from onnxlet.convert.score.tasks import Options, ScoreTask, faults_of, kept_schema
from onnxlet.convert.score.writing import PLAIN, Dialect
from onnxlet.convert.tables.csv_parts import Written
from onnxlet.convert.tables.formats import (
    FORMATS,
    UNREADABLE,
    Columns,
    Span,
    TableFormat,
    format_for,
    format_of,
)
from onnxlet.convert.tables.rows_file import HowRead
from onnxlet.convert.tables.totals import word_below
from onnxlet.convert.tables.workbook import WORKBOOKS
from onnxlet.function.csv.form import CsvForm
from onnxlet.function.csv.text import check_header
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.inputs.validation import encodes
from onnxlet.function.models.model import Model

AT_ONCE = 8  # files that are looked at together: most of the time is waiting for S3
SHOWN = 20  # files with faults that are listed
END_BYTES = 1 << 16  # on each end of a file, by which one that changed is known
NOT_THERE = "Is it spelt so?"
UNREAD = "Is it spelt so, may you read it, and is S3 reached?"
ELSE = "Name a file, or a folder, of CSV or Parquet."


class File(NamedTuple):
    """A file that can be answered."""

    entry: StoredFile
    format: TableFormat
    ends: str  # SHA-256 of its first and last bytes
    columns: Columns

    numbers: Sequence[Written]  # columns of numbers that are not plain
    notes: Sequence[str]  # what is to be said of them and of its last row

    @property
    def schema(self) -> Any:
        """Of its columns."""
        return self.columns.schema

    @property
    def dialect(self) -> Dialect:
        """In which answers to it are written, where that is CSV."""
        form = self.columns.form
        if form is None or self.entry.path.lower().endswith(WORKBOOKS):
            return PLAIN
        comma = form.decimal == "," or any(each.decimal == "," for each in self.numbers)
        return Dialect(form.layout.separator, "," if comma else ".")

    @property
    def written(self) -> CsvForm | None:
        """How it is written, where it is CSV that is not plain; without what that was found by."""
        form = self.columns.form
        if form is None or form.is_plain:
            return None
        return replace(form, layout=replace(form.layout, rows=()))


def find_files(given: str) -> tuple[Storage, list[StoredFile], list[str]]:
    """The folder that a user means by an absolute path or an address, and its files in order.

    Beside them those that are left out since their names don't say that they are tables. Hidden
    ones, which begin with a dot or an underscore, are no files. WrongUse where there is none.
    """
    folder, name = split(given)
    try:
        if name and (single := storage_of(folder).entry(name)) and not _is_folder(given):
            if format_of(name) is None:
                raise WrongUse(
                    f"IN: expected .csv, .csv.gz, .parquet, .xlsx or .json, got '{given}'",
                    "Rename it to what it holds, or write it as one of these.",
                )
            return storage_of(folder), [single], []
        storage = storage_of(given)
        if not S3.match(given) and not _is_folder(given):
            raise WrongUse(f"IN: there is no '{given}'", NOT_THERE)
        every = sorted(each for each in storage.entries() if not _hidden(each.path))
    except OSError as error:
        raise WrongUse(f"IN: '{given}' can't be read: {shortened(error)}", UNREAD) from error
    tables = [each for each in every if format_of(each.path)]
    if odd := [each.path for each in tables if not encodes(each.path)]:
        raise WrongUse(f"IN: the name of {odd[0]!r} is not UTF-8", "Rename it.")
    if not tables:
        there = ", ".join(each.path for each in every[:3])
        raise WrongUse(
            f"IN: there is no CSV or Parquet in '{given}'" + f" (there is {there})" * bool(there),
            ELSE,
        )
    forms = (format_of(each.path) for each in tables)
    kinds = Counter(form.written for form in forms if form)
    if len(kinds) > 1:
        counts = " and ".join(f"{count} .{kind}" for kind, count in sorted(kinds.items()))
        raise WrongUse(
            f"IN: '{given}' has {counts}", "Move one kind elsewhere, and score it by itself."
        )
    return storage, tables, [each.path for each in every if not format_of(each.path)]


def _is_folder(given: str) -> bool:
    return not S3.match(given) and Path(given).is_dir()


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/"))


def inspect_files(
    storage: Storage, entries: Sequence[StoredFile], model: Model, options: Options
) -> list[File]:
    """Look at each file's columns, before any of its rows is answered.

    Raises WrongUse for files that can't be read, or lack columns; all of them, with all that is
    wrong.
    """

    def look(entry: StoredFile) -> File | str:
        try:
            file = _inspect(storage, entry, model, options)
            faults = faults_of(file.schema, model, options)
        except OnnxletError as error:
            hint = f". {error.hint}" if error.hint else ""
            return f"'{entry.path}': {error.message}{hint}"
        except UNREADABLE as error:
            return f"'{entry.path}': it can't be read: {shortened(error)}"
        return f"'{entry.path}': {'; '.join(faults)}" if faults else file

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(look, entries))
    faults = [each for each in found if isinstance(each, str)]
    files = [each for each in found if isinstance(each, File)]
    faults += _unlike(files, options)
    if faults:
        more = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        listed = "".join(f"\n  {each}" for each in faults[:SHOWN])
        raise WrongUse(
            f"IN: {len(faults)} of {len(entries)} files can't be scored:{listed}{more}",
            "Nothing was written. Correct them, or move them elsewhere.",
        )
    return files


def _inspect(storage: Storage, entry: StoredFile, model: Model, options: Options) -> File:
    named = format_of(entry.path) or FORMATS["csv"]  # others are not looked at
    form = format_for(named.name, None, options.sheet)
    if not entry.size:
        raise WrongUse("it is empty: expected a header at least")
    columns = form.columns(partial(storage.open, entry.path))
    if columns.form:
        check_header(columns.schema.names, model.signature)
        form = format_for(form.name, columns.form, options.sheet)
    how = HowRead(options.sheet, options.decimal or model.manifest.get("decimal"))
    numbers, notes = numbers_of(columns, model, how.mark)
    ends, last = _ends(storage, entry)
    if columns.form and not named.packed:
        text = last.decode(columns.form.encoding, "replace")
        if word := word_below(text, columns.form.layout.separator):
            notes.append(
                f"'{entry.path}': its last row may be one of totals ('{word:.40}'), and is "
                "answered as any other: leave it out of the file if it is"
            )
    return File(entry, form, ends, columns, numbers, notes)


def _ends(storage: Storage, entry: StoredFile) -> tuple[str, bytes]:
    """SHA-256 of a file's first and last bytes, and the last ones."""
    with storage.open(entry.path) as file:
        last = file.read(END_BYTES)
        found = hashlib.sha256(last)
        if entry.size > END_BYTES:
            file.seek(max(END_BYTES, entry.size - END_BYTES))
            found.update(last := file.read(END_BYTES))
    return found.hexdigest(), last


def _unlike(files: Sequence[File], options: Options) -> list[str]:
    """Where columns that are passed through are of other types than in the first file."""
    if not options.keep or not files:
        return []
    first = kept_schema(files[0].schema, options.keep)
    return [
        f"'{file.entry.path}': column '{name}' is {file.schema.field(name).type}, and in "
        f"'{files[0].entry.path}' {first.field(name).type}"
        for file in files[1:]
        for name in options.keep
        if file.schema.field(name).type != first.field(name).type
    ]


def part_names(files: Sequence[str], form: str) -> Callable[[str, int], str]:
    """What the parts of each file are called, below OUT as the files are below IN."""
    endings = "|".join(re.escape(each) for form in FORMATS.values() for each in form.endings)
    stems = {file: re.sub(f"({endings})$", "", file, flags=re.I) for file in files}
    often = Counter(stems.values())
    # x.csv beside x.csv.gz keep their suffixes; and x.csv.csv, whose stem is what one is called.
    names = {
        file: stem if often[stem] == 1 and stem not in stems else file
        for file, stem in stems.items()
    }
    return lambda file, number: f"{names[file]}-{number:05}.{form}"


def tasks_of(files: Sequence[File], storage: Storage, **same: Any) -> list[ScoreTask]:
    """Every part of every file, in order; each file has one at least.

    What all parts have in common is in `same`: `model`, `graph`, `options`, `target`, `form` and
    `dialect`. A file of CSV that is none below its header raises WrongUse.
    """
    name = part_names([file.entry.path for file in files], same["form"])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        parts = threads.map(lambda file: _spans(file, storage), files)
        return [
            ScoreTask(
                name(file.entry.path, number), storage.uri, file.entry.path, file.format.name,
                file.entry.size, file.entry.changed, span, file.written,
                tuple(file.numbers),
                tuple(file.schema.names) if is_csv(file.schema) else (), **same,
            )
            for file, spans in zip(files, parts, strict=True)
            for number, span in enumerate(spans)
        ]  # fmt: skip


def _spans(file: File, storage: Storage) -> Sequence[Span]:
    path = file.entry.path
    try:
        return file.format.spans(partial(storage.open, path), file.columns, file.entry.size)
    except OnnxletError as error:
        raise WrongUse(f"IN: '{path}', {error.message}", error.hint) from error
