"""What is trained on: a table, a frame or a folder of images; as one frame, its images read.

A table is read whole, or a sample of it, with a note of all that is odd about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.file_hashes import sha256_of
from onnxlet.convert.problems import counted, listed, refuse
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.image_columns import ENDINGS, images_root
from onnxlet.convert.reference.row_forms import as_pandas
from onnxlet.convert.sources.origin import Entry, folder_entry
from onnxlet.convert.tables.csv_rows import CsvRows
from onnxlet.convert.tables.limits import LIMITS, Limits
from onnxlet.convert.tables.places import Places
from onnxlet.convert.tables.rows_file import (
    BY_ITSELF,
    ELSEWHERE,
    HowRead,
    Opened,
    json_frame,
    opened,
)
from onnxlet.convert.tables.totals import without_totals
from onnxlet.convert.train.fitting import COPIES
from onnxlet.convert.train.kinds.image import (
    ImageColumn,
    image_columns,
    located_cells,
    read_images,
    rows_with_images,
    wrong_forms,
)
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.inputs.columns import normalized

WHAT = "DATA"
MOST_ROWS = 1_000_000
MOST_CELLS = 200_000_000  # 1.6 GB of float64, of which training holds a few
LABELLED = (
    "Put images into a folder for each label, FOLDER/LABEL/photo.jpg; or name a file of rows."
)
IMAGE = "image"  # the column that a folder of images has beside its labels

ReadRows = tuple[pd.DataFrame, int, Places]  # with positions for an index; how many came, and where


class RawRows(NamedTuple):
    """Rows as they were given."""

    frame: pd.DataFrame  # with text for names, and an index from 0
    notes: list[str]  # what the reader guessed, sampled or found odd
    root: Path | None  # the folder that images named in the rows are read from, if any may be
    name: str  # of where they come from, for messages
    places: Places  # where each row stands
    decimal: str = ""  # "point" or "comma" in a file whose fields commas don't separate
    files: Sequence[Entry] = ()  # that they come from, with their hashes


def read_table(
    source: str,  # a path or a URL, such as s3://bucket/rows.csv.gz
    seed: int,  # of the sample that is taken of more than a million rows
    report: Report = lambda line: None,  # gets a line for each note, as soon as it is known
    what: str = WHAT,  # the argument or option that names it, for messages
    limits: Limits = LIMITS,  # of the file
    how: HowRead = BY_ITSELF,  # what is said of how it is read
) -> RawRows:
    """Read CSV, Parquet or a workbook, packed or not, here or wherever fsspec reads.

    WrongUse where there is no such file, or it is no table; with all that is wrong with it.
    """
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        report(f"note: {text}")

    decimal = ""
    with opened(source, what, limits, how) as file:
        try:
            parquet = file.parquet
            frame, rows, places = (
                _read_parquet(file, seed, what) if parquet else _read_other(file, seed, note, what)
            )
        except OnnxletError:
            raise
        except Exception as error:  # whatever a reader finds broken
            raise WrongUse(
                f"{what}: '{file.name}' can't be read: {type(error).__name__}: {shortened(error)}",
                "Is it whole? Expected CSV with a header, Parquet, a workbook or JSON.",
            ) from error
        if not file.parquet and not file.json:
            decimal = file.decimal
        read = [{"file": PurePath(file.name).name, "sha256": sha256_of(file.path)}]
        if not rows:
            names = listed([str(name) for name in frame.columns])
            raise WrongUse(
                f"{what}: '{file.name}' has a header ({names}) and no rows",
                "Expected a row a line below it.",
            )
    if len(frame) < rows:
        note(
            f"'{file.name}' has {rows:,} rows of {len(frame.columns):,} columns: training takes "
            f"{len(frame):,} of them, drawn at random (seed {seed})"
        )
    here = None if ELSEWHERE.match(source) else Path(source).parent
    places = places.at(frame.index.to_numpy())
    frame, places = without_totals(frame.reset_index(drop=True), places, len(frame) == rows, note)
    return RawRows(frame, notes, here, source, places, decimal, read)


def _read_other(file: Opened, seed: int, note: Report, what: str) -> ReadRows:
    """Rows of JSON or CSV, or of a workbook."""
    if not file.json:
        return _read_csv(file, seed, note, what)
    frame = json_frame(file)
    parts, count = sampled(iter([frame]), most_rows(len(frame.columns)), seed)
    return _joined(parts), count, Places.of_rows(np.arange(count), file.name)


def _read_csv(file: Opened, seed: int, note: Report, what: str) -> ReadRows:
    form = file.form
    for text in file.notes():
        note(text)
    if not form.names:
        raise WrongUse(f"{what}: '{file.name}' is empty", "Expected a header and a row a line.")
    rows = CsvRows(file, form, what)
    rows.check_header()
    most = most_rows(len(form.names))
    parts, count = sampled(rows.parts(), most, seed)
    frame = _joined(parts)
    mixed = [name for name in frame.columns if _is_mixed(frame[name])]
    if mixed:  # in some parts numbers and in others text: all of it as it is written
        again, _ = sampled(rows.parts(mixed, dict.fromkeys(mixed, "str")), most, seed)
        texts = _joined(again)
        for name in mixed:
            frame[name] = texts[name]
    if count and frame.iloc[:, -1].isna().any():
        _note_short_rows(rows, note)
    return frame, count, rows.places(count)


def _note_short_rows(rows: CsvRows, note: Report) -> None:
    """Rows that end early: pandas takes what they lack as missing, and says nothing."""
    lengths = rows.lengths()
    if lengths.short_count:
        have = "has" if lengths.short_count == 1 else "have"
        note(
            f"'{rows.opened.name}': {counted(lengths.short_count, 'row')} {have} fewer fields than "
            f"the header (the first in line {lengths.short}): what they lack is taken as missing"
        )


def _read_parquet(file: Opened, seed: int, what: str) -> ReadRows:
    # PyArrow, which only such tables need
    from onnxlet.convert.tables.parquet_file import parquet_parts

    with parquet_parts(file.path, what, MOST_ROWS, file.limits) as (names, parts):
        check_once(list(map(normalized, names)), f"{what}: '{file.name}'")
        kept, count = sampled(parts, most_rows(len(names)), seed)
    frame = _joined(kept)
    frame.columns = pd.Index([normalized(str(name)) for name in frame.columns], dtype=object)
    return frame, count, Places.of_rows(np.arange(count), file.name)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Parts as one table, with their index; the list is emptied: not all is held twice for long."""
    if len(parts) == 1:
        return parts.pop()
    names, index = list(parts[0].columns), np.concatenate([part.index for part in parts])
    columns: dict[Any, Any] = {}
    for name in names:
        columns[name] = pd.concat([part.pop(name) for part in parts], ignore_index=True)
    parts.clear()
    return pd.DataFrame(columns, copy=False).set_axis(index, axis=0)


def _is_mixed(column: pd.Series[Any]) -> bool:
    """Whether it holds text beside what is no text, or numbers that pandas has no type for."""
    if column.dtype != object:
        return False
    return pd.api.types.infer_dtype(column, skipna=True) not in ("string", "boolean", "empty")


def check_once(names: Sequence[str], place: str) -> None:
    """Refuse columns of one name."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"{place} has columns {listed(twice)} more than once"
        raise WrongUse(message, "Give each its own name.")


def most_rows(columns: int) -> int:
    """Rows of a table of so many columns that are read."""
    return max(1, min(MOST_ROWS, MOST_CELLS // max(columns, 1)))


def sampled(parts: Iterator[pd.DataFrame], most: int, seed: int) -> tuple[list[pd.DataFrame], int]:
    """Parts of a table in their order, as they are or a sample of `most` rows; and how many came.

    Each row is as likely as any other: it draws a number, and those with the least numbers stay.
    What does not is let go as soon as twice as many rows are held. How the table is cut into parts
    makes no difference. Their index is the position in the table, from 0.
    """
    random = np.random.default_rng(seed)
    kept: list[tuple[pd.DataFrame, np.ndarray]] = []
    came = held = 0
    bound = np.inf
    for part in parts:
        draws = random.random(len(part))
        part.index = pd.RangeIndex(came, came + len(part))
        came += len(part)
        stays = draws < bound
        kept.append((part, draws) if stays.all() else (part[stays], draws[stays]))
        held += len(kept[-1][1])
        if held > 2 * most:
            kept, bound = _least(kept, most)
            held = sum(len(draws) for _, draws in kept)
    if held > most:
        kept, _ = _least(kept, most)
    return [part for part, _ in kept], came


def _least(
    kept: list[tuple[pd.DataFrame, np.ndarray]], most: int
) -> tuple[list[tuple[pd.DataFrame, np.ndarray]], float]:
    """The rows with the least numbers, and the greatest of these."""
    every = np.concatenate([draws for _, draws in kept])
    bound = float(np.partition(every, most - 1)[most - 1])
    return [(part[draws <= bound], draws[draws <= bound]) for part, draws in kept], bound


class Read(NamedTuple):
    """All rows, with a hash for each image."""

    frame: pd.DataFrame  # the rows to learn from, then those of the test set
    before: int  # so many are the first
    images: dict[str, ImageColumn]
    notes: list[str]  # of rows that were left out
    places: Places  # where each row stands, those of the test set in a table of theirs


def rows_of(
    data: Any,  # a path, an address, or a frame
    target: str,  # the column that the names of a folder's folders become
    seed: int,  # of the sample that is taken of more than a million rows
    report: Report,  # gets a line of progress at a time
    what: str = WHAT,  # the argument or option that names it, for messages
    # The folder that images named in the rows are read from, instead of the table's own; the
    # working directory's for a frame.
    images_from: str | Path | None = None,
    how: HowRead = BY_ITSELF,  # what is said of how it is read
) -> RawRows:
    """Rows of a table, of a frame of any library, or of a folder of images in a folder a label.

    WrongUse where there is no such file, or it is no table; with all that is wrong with it.
    """
    root = None if images_from is None else images_root(images_from)
    if not isinstance(data, str):
        frame = _checked_frame(data, seed, what)
        places = Places.of_rows(frame.index.to_numpy())
        notes = list[str]()
        frame, places = without_totals(frame.reset_index(drop=True), places, True, notes.append)
        for text in notes:
            report(f"note: {text}")
        return RawRows(frame, notes, root or Path(), "the frame", places=places)
    report(f"reading {data}")
    if (labelled := _labelled(Path(data), target, what)) is not None:
        places = Places.of_rows(np.arange(len(labelled)), data)
        files = folder_entry(Path(data).absolute(), map(Path, labelled.iloc[:, 0]))
        return RawRows(labelled, [], root or Path(data), data, places, files=files)
    table = read_table(data, seed, report, what, how=how)
    return table._replace(root=root or table.root)


def _checked_frame(data: Any, seed: int, what: str) -> pd.DataFrame:
    frame = as_pandas(data, what)
    if not isinstance(frame, pd.DataFrame):
        raise WrongUse(f"{what}: expected a path, an address or a frame, got {type(data).__name__}")
    if not len(frame):
        raise WrongUse(f"{what}: the frame has no rows", "Expected a row for each example.")
    names = [normalized(str(name)) for name in frame.columns]
    check_once(names, f"{what}: the frame")
    [kept], _ = sampled(iter([frame.reset_index(drop=True)]), most_rows(len(names)), seed)
    return kept.set_axis(names, axis=1)


def _labelled(folder: Path, target: str, what: str) -> pd.DataFrame | None:
    """The images in a folder's folders, whose names are the labels; None where there are none."""
    if ELSEWHERE.match(str(folder)) or not folder.is_dir():
        return None
    files = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in ENDINGS and p.is_file())
    names = ["images" if target == IMAGE else IMAGE, target]
    rows = [(str(p.absolute()), p.parent.name) for p in files]
    if not rows and not any(folder.glob("*.csv*")) and not any(folder.glob("*.parquet")):
        raise WrongUse(f"{what}: '{folder}' is a folder without rows or labelled images", LABELLED)
    return pd.DataFrame(rows, columns=names, dtype=object) if rows else None


def with_hashes(
    rows: RawRows,
    tested: RawRows | None,
    said: Mapping[str, str],
    without: Sequence[str],
    augment: bool,
    report: Report,
) -> Read:
    """Read the images, and put a hash of its pixels where each was.

    Rows without an image are left out: pipelines refuse such. The test set has the same columns,
    or is None where it is drawn from the rows; some columns, such as the target, hold no images.
    With `augment` fits have copies of rows. WrongUse names all images that can't be read, by row
    and column.
    """
    refuse(list(wrong_forms(said)), "--columns")
    parts = [rows] if tested is None else [rows, tested]
    names = image_columns(rows.frame, rows.root, said, without)
    if not names:
        frames = [part.frame for part in parts]
        whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
        return Read(whole, len(rows.frame), {}, [], _placed([part.places for part in parts]))
    kept = list[Places]()
    frames, notes, places = [], list[str](), list[str]()
    for part, start in zip(parts, ("DATA: ", "--test: "), strict=False):
        known, lost = rows_with_images(part.frame, names)
        found = {name: located_cells(part.frame[name][known], part.root) for name in names}
        frames.append(part.frame[known].assign(**found))
        kept.append(part.places.at(np.asarray(known)))
        places += [f"{start}row {row + 1}" for row in np.flatnonzero(known)]
        notes += lost
    for note in notes:
        report(note)
    before, whole = len(frames[0]), pd.concat(frames, ignore_index=True)
    hashes, images = read_images(
        whole[names], places, said, before * (1 + COPIES * augment), report
    )
    whole = whole.assign(**{n: hashes[n] for n in names})
    return Read(whole, before, images, notes, _placed(kept))


def _placed(parts: Sequence[Places]) -> Places:
    """Places of all rows; what they count is what those of the last part, the test set, do."""
    return parts[-1]._replace(numbers=np.concatenate([part.numbers for part in parts]))
