"""Parts become one file, once all are done: streamed, and there as a whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from onnxlet.convert.score.csv_cuts import header_of
from onnxlet.convert.score.storage import Place, half_written, tidy
from onnxlet.convert.score.writing import Sink, Writer, Written, sink_to

COPIED = 1 << 20  # bytes at a time


def gathered(parts: Place, names: Sequence[str], target: Place, to: str, form: str) -> Written:
    """Write the parts' rows into one file, in order.

    Args:
        parts: where they are.
        names: of the parts; one at least, all of the same columns.
        target: where the file belongs.
        to: its name there.
        form: `csv`, whose rows are not counted, or `parquet`.

    Raises:
        NoRoom: it can't be written; nothing of it is left.
    """
    tidy(target, to)
    written = half_written(target, to)
    try:
        with sink_to(written) as sink:
            done = (_groups if form == "parquet" else _lines)(parts, names, sink)
        target.land(written, to)
    finally:
        written.unlink(missing_ok=True)
    return done


def _groups(parts: Place, names: Sequence[str], sink: Sink) -> Written:
    from pyarrow import parquet

    with parts.open(names[0]) as opened, parquet.ParquetFile(opened) as file:
        writer = Writer(sink, "parquet", file.schema_arrow)
    for name in names:
        with parts.open(name) as opened, parquet.ParquetFile(opened, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                for batch in file.read_row_group(group, use_threads=False).to_batches():
                    writer.add(batch)
    return writer.end()


def _lines(parts: Place, names: Sequence[str], sink: Sink) -> Written:
    """Copy lines, the header only once."""
    for number, name in enumerate(names):
        with parts.open(name) as file:
            _, header = header_of(file)
        with parts.open(name) as file:
            if number:
                file.seek(header.end)
            shutil.copyfileobj(file, sink, COPIED)
    return sink.written(0)
