"""What is trained on: a table, a frame or a folder of images; as one frame, its images read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.problems import refuse
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.image_columns import ENDINGS, images_root
from onnxlet.convert.reference.row_forms import as_pandas
from onnxlet.convert.tables.rows_file import ELSEWHERE
from onnxlet.convert.train.augmentation import COPIES
from onnxlet.convert.train.kinds.image_files import (
    ImageColumn,
    image_columns,
    located_cells,
    read_images,
    rows_with_images,
    wrong_forms,
)
from onnxlet.convert.train.table import WHAT, check_once, most_rows, read_table, sampled
from onnxlet.function.errors import WrongUse

LABELLED = (
    "Put images into a folder for each label, FOLDER/LABEL/photo.jpg; or name a file of rows."
)
IMAGE = "image"  # the column that a folder of images has beside its labels


class Rows(NamedTuple):
    """Rows as they were given."""

    frame: pd.DataFrame  # with text for names, and an index from 0
    notes: list[str]  # what the reader guessed, sampled or found odd
    root: Path | None  # the folder that images named in the rows are read from, if any may be
    name: str  # of where they come from, for messages


class Read(NamedTuple):
    """All rows, with a hash for each image."""

    frame: pd.DataFrame  # the rows to learn from, then those of the test set
    before: int  # so many are the first
    images: dict[str, ImageColumn]
    notes: list[str]  # of rows that were left out


def rows_of(
    data: Any,
    target: str,
    seed: int,
    report: Report,
    what: str = WHAT,
    images_from: str | Path | None = None,
) -> Rows:
    """Rows of a table, of a frame of any library, or of a folder of images in a folder a label.

    Args:
        data: a path, an address, or a frame.
        target: the column that the names of a folder's folders become.
        seed: of the sample that is taken of more than a million rows.
        report: called with a line of progress at a time.
        what: the argument or option that names it, for messages.
        images_from: the folder that images named in the rows are read from, instead of the
            table's own; the working directory's for a frame.

    Raises:
        WrongUse: there is no such file, or it is no table; with all that is wrong with it.
    """
    root = None if images_from is None else images_root(images_from)
    if not isinstance(data, str):
        return Rows(_checked_frame(data, seed, what), [], root or Path(), "the frame")
    report(f"reading {data}")
    if (labelled := _labelled(Path(data), target, what)) is not None:
        return Rows(labelled, [], root or Path(data), data)
    table = read_table(data, seed, report, what)
    here = None if ELSEWHERE.match(data) else Path(data).parent
    return Rows(table.frame, table.notes, root or here, data)


def _checked_frame(data: Any, seed: int, what: str) -> pd.DataFrame:
    frame = as_pandas(data, what)
    if not isinstance(frame, pd.DataFrame):
        raise WrongUse(f"{what}: expected a path, an address or a frame, got {type(data).__name__}")
    if not len(frame):
        raise WrongUse(f"{what}: the frame has no rows", "Expected a row for each example.")
    names = [str(name) for name in frame.columns]
    check_once(names, f"{what}: the frame")
    [kept], _ = sampled(iter([frame.reset_index(drop=True)]), most_rows(len(names)), seed)
    return kept.reset_index(drop=True).set_axis(names, axis=1)


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
    rows: Rows,
    tested: Rows | None,
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
        return Read(whole, len(rows.frame), {}, [])
    frames, notes, places = [], list[str](), list[str]()
    for part, start in zip(parts, ("DATA: ", "--test: "), strict=False):
        known, lost = rows_with_images(part.frame, names)
        found = {name: located_cells(part.frame[name][known], part.root) for name in names}
        frames.append(part.frame[known].assign(**found))
        places += [f"{start}row {row + 1}" for row in np.flatnonzero(known)]
        notes += lost
    for note in notes:
        report(note)
    before, whole = len(frames[0]), pd.concat(frames, ignore_index=True)
    hashes, images = read_images(
        whole[names], places, said, before * (1 + COPIES * augment), report
    )
    return Read(whole.assign(**{n: hashes[n] for n in names}), before, images, notes)
