"""Numbers of a table that are not written as plain CSV has them, read as the training read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import types

from onnxlet.convert.problems import listed
from onnxlet.convert.tables.csv_parts import Written, with_plain_numbers
from onnxlet.convert.tables.formats import Columns
from onnxlet.convert.tables.units import bare, named, parted, unit_in
from onnxlet.function.arrays import EXACT
from onnxlet.function.csv.layout import decimal_in
from onnxlet.function.csv.numbers import SIGNS
from onnxlet.function.csv.text import READ, is_number
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import NUMERIC
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.estimate import kind_of


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


class Read(NamedTuple):
    """An Arrow table with numbers where numbers came as text."""

    table: Any
    faults: dict[int, str]  # rows that hold a text that is no such number, and why
    notes: list[str]


def with_numbers(table: Any, model: Model) -> Read:
    """An Arrow table whose columns of numbers that came as text are numbers, as far as they are.

    Those of int64 keep all digits. Raises WrongUse as `numbers_of`.
    """
    kinds = {column.name: column.type for column in model.signature.columns}
    numeric = frozenset(_numeric(model))
    texts = {
        field.name: table.column(field.name).cast(pa.string()).combine_chunks()
        for field in table.schema
        if field.name in numeric and _is_text(field.type)
    }
    different = {name: [t for t in set(each.to_pylist()) if t] for name, each in texts.items()}
    texts = {name: texts[name] for name, some in different.items() if any(map(parted, some))}
    here = {name: unit_in(different[name]) for name in texts}
    units, notes = _units(list(texts), here, model)
    usual = "," if model.manifest.get("decimal") == "comma" else "."
    faults = dict[int, str]()
    for name, column in texts.items():
        unit = units.get(name, "")
        said = decimal_in([bare(text, unit) for text in different[name]])
        decimal = said if len(said) == 1 else usual
        rows = pa.RecordBatch.from_arrays([column], names=[name])
        rows, odd = with_plain_numbers(rows, [Written(name, decimal, unit)])
        read, kind = (_whole, pa.int64()) if kinds.get(name) == "int64" else (_float, pa.float64())
        values = [read(text) if text else None for text in rows.column(0).to_pylist()]
        expected = "a whole number" if read is _whole else "a number"
        odd = {
            row: f"column '{name}': expected {expected}, got '{text}'"
            for row, text in enumerate(values)
            if isinstance(text, str)
        } | odd
        values = [None if row in odd else value for row, value in enumerate(values)]
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values, kind))
        faults = {**odd, **faults}
    return Read(table, faults, notes)


def _float(text: str) -> float | str:
    return float(text) if is_number(text) else text


def _whole(text: str) -> int | str:
    """A number of int64 with all of its digits; the text where it is none."""
    number = READ["int64"](text)
    if isinstance(number, float) and number.is_integer() and abs(number) < EXACT:
        return int(number)
    return number if isinstance(number, int) and -(2**63) <= number < 2**63 else text


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


def _units(
    numeric: Sequence[str], found: Mapping[str, str], model: Model
) -> tuple[dict[str, str], list[str]]:
    """By column, the units that may stand beside its numbers, of those that were found; and notes.

    Of another one nobody knows whether it is meant, but for signs of money. With percent numbers
    may be a hundred times those of the training, so that WrongUse is raised.
    """
    trained = model.manifest.get("units", {})
    described = {column.name: column.unit for column in model.signature.columns}
    new = {n: u for n, u in found.items() if u and n in numeric and n not in trained}
    odd = {
        name
        for name, unit in new.items()
        if unit not in SIGNS and unit != named(described.get(name) or "")
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
    if shares := [n for n, unit in new.items() if unit == "%" and n in odd]:
        raise WrongUse(
            f"{listed(shares)}: numbers with '%', and those that the model was trained on had "
            "none: 12 % may be 12 or 0.12",
            "Write them as the training had them, without '%'.",
        )
    notes = [
        f"'{name}': numbers with '{unit}', and those of the training had no unit: "
        + ("take it out of the cells" if name in odd else "they are read as they stand")
        for name, unit in new.items()
    ]
    return {**{n: u for n, u in found.items() if n not in odd}, **trained}, notes
