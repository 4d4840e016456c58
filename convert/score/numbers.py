"""Numbers of a table that are not written as plain CSV has them, read as the training read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import types

from onnxlet.convert.tables.csv_parts import Written, with_plain_numbers
from onnxlet.convert.tables.formats import Columns
from onnxlet.convert.tables.units import SIGN, bare, named, parted, unit_in
from onnxlet.function.csv.layout import decimal_in
from onnxlet.function.csv.text import is_number
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import NUMERIC
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.estimate import kind_of


class _Units(NamedTuple):
    """The units of a table's columns, and what is to be said of them."""

    read: Mapping[str, str]  # by column, that may stand beside its numbers
    notes: list[str]


def numbers_of(columns: Columns, model: Model, chosen: str) -> tuple[list[Written], list[str]]:
    """How the numbers of a file of CSV are written that are not plain; and notes.

    `chosen` stands before decimals where nothing else says. Raises WrongUse where numbers have
    another unit than those that the model was trained on.
    """
    form = columns.form
    if form is None:
        return [], []
    numeric = _numeric(model)
    units, notes = _units(numeric, columns.units, model)
    decimals = form.odd_numbers(numeric, chosen)
    for name, cells in form.columns():
        if name in numeric and name not in decimals and name in units:
            decimals[name] = form.decimal_below(name, cells, chosen)
    return [Written(name, decimals[name], units.get(name, "")) for name in decimals], notes


def with_numbers(table: Any, model: Model) -> tuple[Any, dict[int, str]]:
    """An Arrow table whose columns of numbers that came as text are numbers, as far as they are.

    With each row that holds a text that is none comes why. Raises WrongUse as `numbers_of`.
    """
    texts = {
        field.name: table.column(field.name).cast(pa.string()).combine_chunks()
        for field in table.schema
        if field.name in _numeric(model) and _is_text(field.type)
    }
    different = {name: [t for t in set(each.to_pylist()) if t] for name, each in texts.items()}
    texts = {name: texts[name] for name, some in different.items() if any(map(parted, some))}
    here = {name: unit_in(different[name]) for name in texts}
    units, _ = _units(list(texts), here, model)
    usual = "," if model.manifest.get("decimal") == "comma" else "."
    faults = dict[int, str]()
    for name, column in texts.items():
        unit = units.get(name, "")
        said = decimal_in([bare(text, unit) for text in different[name]])
        decimal = said if len(said) == 1 else usual
        rows = pa.RecordBatch.from_arrays([column], names=[name])
        rows, odd = with_plain_numbers(rows, [Written(name, decimal, unit)])
        plain = rows.column(0).to_pylist()
        odd |= {
            row: f"column '{name}': expected a number, got '{text}'"
            for row, text in enumerate(plain)
            if text and row not in odd and not is_number(text)
        }
        values = [float(t) if t and row not in odd else None for row, t in enumerate(plain)]
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values, pa.float64()))
        faults = {**odd, **faults}
    return table, faults


def _numeric(model: Model) -> list[str]:
    """The columns of numbers, and what is right where these are numbers."""
    names = [column.name for column in model.signature.columns if column.type in NUMERIC]
    return (
        [*names, model.manifest.get("target", "")]
        if kind_of(model.manifest) == "numbers"
        else names
    )


def _is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _units(numeric: Sequence[str], found: Mapping[str, str], model: Model) -> _Units:
    """The units of columns in which some were found: those of the training, and its own.

    Of another one nobody knows whether it is meant, but for signs of money and percent.
    """
    trained = model.manifest.get("units", {})
    described = {column.name: column.unit for column in model.signature.columns}
    new = {n: u for n, u in found.items() if u and n in numeric and n not in trained}
    odd = {
        name
        for name, unit in new.items()
        if unit not in SIGN and unit != named(described.get(name) or "")
    }
    wrong = [
        n for n in numeric if n in trained and found.get(n) not in (None, "", named(trained[n]))
    ]
    if wrong:
        raise WrongUse(
            "; ".join(
                f"column '{name}': expected numbers in '{trained[name]}', as the model was trained "
                f"on, got '{found[name]}'"
                for name in wrong
            ),
            "Write them in that unit.",
        )
    notes = [
        f"'{name}': numbers with '{unit}', and those of the training had no unit: "
        + ("take it out of the cells" if name in odd else "they are read as they stand")
        for name, unit in new.items()
    ]
    return _Units({**{n: u for n, u in found.items() if n not in odd}, **trained}, notes)
