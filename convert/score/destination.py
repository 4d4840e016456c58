"""Where answers go: a folder of parts, or one file that the parts become."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from onnxlet.convert.score.planning import kind_of
from onnxlet.convert.score.storage import S3, split
from onnxlet.convert.score.tasks import BAD
from onnxlet.function.errors import WrongUse

ELSEWHERE = "Name another one."
LONGEST = 8  # characters of a suffix, with its dot: a folder may have a longer one, or a number


class Target(NamedTuple):
    """Where answers go."""

    out: str  # as messages have it
    work: str  # the folder of the parts and of the journal
    form: Literal["csv", "parquet"]  # of what is written
    folder: str  # that a file is in; of a folder itself
    file: str | None  # its name, where OUT is one file

    @property
    def side_name(self) -> str:
        """Of the file of bad rows, where OUT is one file."""
        return f"{BAD}_{self.file}"

    @property
    def side(self) -> str:
        """Where bad rows are."""
        if self.file is None:
            return f"{self.out}/{BAD}"
        return f"{self.out.removesuffix(self.file)}{self.side_name}"


def target_of(out: str, source: str, first: str) -> Target:
    """Where answers go, and in the form of the first file that is read if OUT is a folder.

    Raises:
        WrongUse: it can't be written, or would be read by the next scoring.
    """
    here, there = _real(out), _real(source)
    if here == there or here.startswith(f"{there}/") or there.startswith(f"{here}/"):
        raise WrongUse(
            f"OUT: '{out}' is in IN, or IN in it: the next scoring would read answers", ELSEWHERE
        )
    folder, name = split(out)
    if S3.match(out) and not S3.match(folder):
        raise WrongUse(f"OUT: expected s3://bucket/prefix, got '{out}'", ELSEWHERE)
    suffix = PurePosixPath(name).suffix
    kind = kind_of(name)
    if kind == "csv.gz" or (
        suffix and kind is None and len(suffix) <= LONGEST and not suffix[1:].isdecimal()
    ):
        raise WrongUse(
            f"OUT: expected a file .csv or .parquet, or a folder, got '{name}'", ELSEWHERE
        )
    if kind is None:
        form: Literal["csv", "parquet"] = "parquet" if kind_of(first) == "parquet" else "csv"
        return Target(out, out, form, out, None)
    return Target(out, f"{folder}/_{name}", "csv" if kind == "csv" else "parquet", folder, name)


def _real(given: str) -> str:
    """The same words for the same place: `..` and links can lead from OUT to IN."""
    return S3.sub("s3://", given) if S3.match(given) else os.path.realpath(given).rstrip("/")
