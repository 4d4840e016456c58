"""What scripts and notebooks import: `from onnxlet import score`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from onnxlet.convert.in_python import in_python
from onnxlet.convert.progress import Report
from onnxlet.convert.score import OnError
from onnxlet.function.errors import WrongUse
from onnxlet.not_set_up import check_installed


@in_python
def score(
    model: Any,
    data: Any,
    out: str | Path | None = None,
    *,
    keep: Sequence[str] = (),
    on_error: OnError = "null",
    coverage: float | None = None,
    explain: bool = False,
    k: int | None = None,
    unusual: bool = False,
    workers: int = 0,
    scheduler: str | None = None,
    batch_rows: int = 10_000,
    decimal: Literal["point", "comma"] | None = None,
    sheet: str = "",
    overwrite: bool = False,
    models: str | Path = "models",
    report: Report = print,
) -> Any:
    """Predict a table of any size, as an endpoint would answer its rows.

    Args:
        model: what `build` and `train` return; or the folder of a version or of a model, or a name
            in `models`.
        data: a frame; or the path of a file or folder of CSV or Parquet, or an address in S3.
        out: a file .csv or .parquet, or a folder; needed where `data` is a path.
        keep: columns that are passed through.
        on_error: a row that can't be answered is `null`, or does `stop` all; or it is left out,
            with `side`. Of files, its reason is in a file beside `out`.
        coverage: of prediction intervals or sets, which are added.
        explain: add what each column adds to each answer.
        k: how many nearest are answered.
        unusual: add what is unusual of rows unlike the training rows, as JSON; these have no
            interval or set.
        workers: processes; 0 is one for each core. A frame needs none.
        scheduler: address of a Dask scheduler, whose workers do parts of files instead.
        batch_rows: that are run together.
        decimal: what stands before decimals in files of CSV that leave it open.
        sheet: of workbooks, or cells of one as "Sheet2!B3:F200"; "" is the first table.
        overwrite: start afresh where something else was scored into `out`.
        models: the folder of model directories.
        report: called with a line of progress at a time, or a note.

    Returns:
        For a frame, one of its kind, with a row for each of its rows; for a path, what was
        written: `out`, `rows`, `bad`, `problems` and `side`, the file or folder of bad rows; and
        where the table has the model's target, `scores`, of `compared` rows, beside `at_build`.

    Raises:
        WrongUse: the table is not there or does not fit the model, `out` holds something else, or
            an option is out of its range.
        InvalidRows: of a frame, rows that are to stop all.
        Unfinished: of files, some parts could not be done; the same call goes on from there.
    """
    check_installed("pyarrow")  # an extra may be missing that brings others, too
    from onnxlet.convert.score.frames import score_frame
    from onnxlet.convert.score.running import score as score_table
    from onnxlet.convert.score.tasks import Options, directory_of, proven

    _check(
        workers=workers, on_error=on_error, coverage=coverage, k=k, batch_rows=batch_rows,
        decimal=decimal,
    )  # fmt: skip
    options = Options((keep,) if isinstance(keep, str) else tuple(dict.fromkeys(keep)),
                      on_error, coverage, explain, k, unusual, batch_rows, decimal,
                      sheet)  # fmt: skip
    given = os.fspath(getattr(model, "directory", model))
    if not isinstance(data, str | Path):
        if out is not None:
            raise WrongUse(
                "out: a frame is answered by a frame",
                "Leave `out` away, and save what you get.",
            )
        return score_frame(proven(directory_of(given, Path(models))), data, options, report)
    if out is None:
        raise WrongUse("out: expected a file or a folder for the answers, got none")
    return score_table(
        given, os.fspath(data), os.fspath(out), options,
        models=Path(models), workers=workers, overwrite=overwrite, report=report,
        scheduler=scheduler,
    )  # fmt: skip


# What the command line checks by its types: what is expected, and whether a value is that.
CHECKS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "on_error": (
        f"one of {', '.join(get_args(OnError))}",
        lambda given: given in get_args(OnError),
    ),
    "coverage": (
        "a number between 0 and 1, such as 0.9",
        lambda given: given is None or (isinstance(given, int | float) and 0 < given < 1),
    ),
    "k": ("a whole number from 1", lambda given: given is None or _is_whole(given, 1)),
    "batch_rows": ("a whole number from 1", lambda given: _is_whole(given, 1)),
    "decimal": ("'point' or 'comma'", lambda given: given in ("point", "comma", None)),
    "workers": ("a whole number from 0", lambda given: _is_whole(given, 0)),
}


def _check(**given: Any) -> None:
    wrong = [
        f"{name}: expected {CHECKS[name][0]}, got {value!r}"
        for name, value in given.items()
        if not CHECKS[name][1](value)
    ]
    if wrong:
        raise WrongUse("; ".join(wrong))


def _is_whole(number: Any, least: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= least
