"""Record batches and rows of JSON, held together on columns that nobody thought of."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st
from pyarrow import compute

from onnxlet.convert.record_batches.kinds import csv_schema, misfit
from onnxlet.convert.record_batches.reading import Reader
from onnxlet.convert.record_batches.scorer import AllProblems
from onnxlet.function import json_text
from onnxlet.function.arrays import LARGEST_FLOAT32, MISSING_TEXT
from onnxlet.function.csv import text as csv_text
from onnxlet.function.errors import Problem
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.messages import Request

COLUMNS = [
    Column("price", "float64", nullable=True),
    Column("size", "float64", minimum=-LARGEST_FLOAT32, maximum=LARGEST_FLOAT32),
    Column("ratio", "float64", infinite=True),
    Column("share", "float32", nullable=True, absent=True),
    Column("rooms", "int64", nullable=True),
    Column("id", "int64"),
    Column("grade", "int64", categories=(1, 2)),
    Column("floor", "int64", minimum=-3, maximum=100),
    Column("new", "bool"),
    Column("place", "string", nullable=True, longest=5),
    Column("kind", "string", categories=("a", "b")),
    Column("day", "string", date=True, nullable=True),
    Column("at", "string", date=True, zone="UTC"),
    Column("month", "string", date=True, format="%d.%m.%Y %H:%M"),
    Column("series", "float64", cell=("length",), longest=4, nullable=True),
    Column("flags", "bool", cell=("length",), longest=4),
    Column("tile", "int64", cell=(2, 2), minimum=0),
    Column("dropped", "string", required=False),
]
TENSORS = [
    {"name": "a", "dtype": "float64", "columns": ["rooms", "price", "ratio", "grade", "share"]},
    {"name": "b", "dtype": "float32", "columns": ["size"]},
    {"name": "c", "dtype": "int64", "columns": ["id"]},
    {"name": "d", "dtype": "bool", "columns": ["new"]},
    {"name": "e", "dtype": "string", "columns": ["kind", "place", "day", "at", "month"]},
    {"name": "f", "dtype": "int32", "columns": ["floor"]},
    {"name": "g", "dtype": "float64", "columns": ["series"]},
    {"name": "h", "dtype": "bool", "columns": ["flags"]},
    {"name": "i", "dtype": "int64", "columns": ["tile"]},
]
SIGNATURE = Signature(COLUMNS, [], TENSORS)
FLAT = Signature([c for c in COLUMNS if not c.cell], [], TENSORS[:6])
BY_NAME = {column.name: column for column in COLUMNS}

FLOATS = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 3.5, np.nan, np.inf, -np.inf, 1e39, 2.0**62])
FLOATS |= st.sampled_from([2.0**53, 2.0**63, -(2.0**63), 100.0, 101.0]) | st.floats()


def narrow(bits: int) -> st.SearchStrategy[float]:
    usual = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.5, np.nan, np.inf, 2.0**15])
    return usual | st.floats(width=bits)  # type: ignore[arg-type] # 16 or 32


def whole(kind: Any) -> st.SearchStrategy[int]:
    info = np.iinfo(kind.to_pandas_dtype())
    least, most = int(info.min), int(info.max)
    edges = [n for n in (-3, 0, 1, 2, 3, 100, 101, 2**53 + 1, 2**62, 2**63) if least <= n <= most]
    return st.sampled_from([*edges, least, most]) | st.integers(least, most)


def decimals(kind: Any) -> st.SearchStrategy[Decimal]:
    most = 10**kind.precision - 1
    units = st.integers(-most, most) | st.integers(-(10**4), 10**4)
    return units.map(lambda n: Decimal(f"{n}E-{kind.scale}"))


WORDS = st.sampled_from(["a", "b", "c", "", "é", "abcde", "abcdef", MISSING_TEXT, "2026-01-31"])
WORDS |= st.sampled_from(["2026-01-31T10:00:00", "2026-01-31T10:00:00Z", "31.01.2026 10:00"])
DAYS = st.dates(date(1650, 1, 1), date(2300, 1, 1))
TIMES = st.datetimes(datetime(1690, 1, 1), datetime(2260, 1, 1))
INTEGERS = [getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)]
DECIMALS = [pa.decimal128(9, 2), pa.decimal128(38, 0), pa.decimal128(38, 10), pa.decimal128(5, 5)]
DECIMALS += [pa.decimal256(50, 3), pa.decimal32(7, 1), pa.decimal64(18, 0), pa.decimal128(12, 0)]
NUMBERS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.float64(), FLOATS),
    (pa.float32(), narrow(32)),
    (pa.float16(), narrow(16).map(np.float16)),
    *((kind, whole(kind)) for kind in INTEGERS),
    *((kind, decimals(kind)) for kind in DECIMALS),
    (pa.null(), st.none()),
]
TEXTS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    *((kind, WORDS) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.binary(), WORDS.map(str.encode) | st.just(b"\xff")),
    (pa.null(), st.none()),
]
DATES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    *TEXTS[:3],
    (pa.date32(), DAYS),
    (pa.date64(), DAYS),
    *((pa.timestamp(unit, tz), TIMES) for unit in ("s", "ms", "us", "ns") for tz in (None, "UTC")),
    (pa.timestamp("ms", "+02:00"), TIMES),
]


def lists_of(kind: Any, values: st.SearchStrategy[Any]) -> list[tuple[Any, Any]]:
    one = st.lists(values | st.none(), max_size=5)
    two = st.lists(st.lists(values, min_size=2, max_size=2), min_size=2, max_size=2)
    return [
        (pa.list_(kind), one),
        (pa.large_list(kind), st.lists(values, min_size=4, max_size=4)),
        (pa.list_(kind, 4), st.lists(values, min_size=4, max_size=4)),
        (pa.list_(pa.list_(kind)), two | st.lists(one, max_size=3)),
        (pa.list_(pa.list_(kind, 2), 2), two),
    ]


LISTS = [pair for kind, values in NUMBERS[:-1] for pair in lists_of(kind, values)]
BOOLEANS: list[tuple[Any, Any]] = [(pa.bool_(), st.booleans()), (pa.null(), st.none())]
EVERY = [*NUMBERS, *DATES, *LISTS, *BOOLEANS, *lists_of(pa.bool_(), st.booleans())]
TAKEN = {
    column.name: [(kind, cells) for kind, cells in EVERY if misfit(column, kind) is None]
    for column in COLUMNS
    if column.required
}
GOOD = {
    "price": 1.5, "size": 2.0, "ratio": 0.5, "share": 0.25, "rooms": 3, "id": 2**62 + 1, "grade": 1,
    "floor": 7, "new": True, "place": "x", "kind": "a", "day": "2026-01-31",
    "at": "2026-01-31T10:00:00Z", "month": "31.01.2026 10:00", "series": [1.0, 2.0],
    "flags": [True, False], "tile": [[1, 2], [3, 4]],
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> Any:
    rows = draw(st.integers(1, 5))
    arrays = {name: pa.array([cell] * rows) for name, cell in GOOD.items()}
    for name in draw(st.lists(st.sampled_from(list(GOOD)), min_size=1, max_size=4, unique=True)):
        arrays[name] = draw(columns(TAKEN[name], rows))
    names = draw(st.permutations(list(arrays)))
    if draw(st.booleans()):
        names.remove("share")
    start = draw(st.integers(0, rows - 1))
    whole = pa.record_batch({name: arrays[name] for name in names})
    return whole.slice(start) if draw(st.booleans()) else whole


@st.composite
def columns(draw: st.DrawFn, taken: list[tuple[Any, st.SearchStrategy[Any]]], rows: int) -> Any:
    kind, cells = draw(st.sampled_from(taken))
    gaps = draw(st.sampled_from([0, 0, 1, 5]))
    listed = draw(st.lists(cells, min_size=rows, max_size=rows))
    for _ in range(gaps):
        listed[draw(st.integers(0, rows - 1))] = None
    array = pa.array(listed, kind)
    if draw(st.booleans()) and not pa.types.is_nested(kind) and kind not in UNENCODED:
        return array.dictionary_encode()
    return array


UNENCODED = (pa.string_view(), pa.float16(), pa.null(), pa.decimal32(7, 1), pa.decimal64(18, 0))


def as_json(cell: Any, column: Column) -> Any:
    """As `json.dumps` takes it; written apart from what is tested."""
    if isinstance(cell, list):
        return [as_json(each, column) for each in cell]
    if isinstance(cell, Decimal):
        short = "." not in f"{cell:f}" and -(2**63) <= cell < 2**64
        return int(cell) if short else float(cell)  # orjson makes floats of larger ones
    if isinstance(cell, np.floating):
        return float(cell)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "surrogateescape")
    if isinstance(cell, datetime) and column.format is None:
        return str(cell).replace(" ", "T")
    if isinstance(cell, date):
        return format(cell, column.format or "%Y-%m-%d").rjust(10, "0")
    return cell


def by_json(batch: Any) -> list[dict[str, Any]]:
    rows = [
        {name: as_json(cell, BY_NAME[name]) for name, cell in row.items()}
        for row in batch.to_pylist()
    ]
    return list(json_text.loads(json.dumps(rows).encode()))


def outcome(table: CheckedBatch, left_out: LeftOut) -> Any:
    problems = left_out.problems
    return table.rows, left_out.kept, problems.first, problems.count


def check_same(found: CheckedBatch, expected: CheckedBatch, signature: Signature) -> None:
    """Arrays of the same values; float32 only where the graph gets no more."""
    for got, wanted, block in zip(found.arrays, expected.arrays, signature.blocks, strict=True):
        narrow = [column.name for column in block.columns] == ["size"] and got.dtype == np.float32
        with np.errstate(over="ignore"):
            assert repr(got.tolist()) == repr(wanted.astype(got.dtype).tolist())
        assert got.dtype == (np.float32 if narrow else wanted.dtype)
    for feed in signature.feeds:
        if feed.nested:
            continue  # one row at a time, where their sizes differ
        assert repr(feed.gather(found.arrays)) == repr(feed.gather(expected.arrays))


def is_odd(batch: Any, signature: Signature = SIGNATURE, fields: bool = False) -> list[bool]:
    reader = Reader(signature, fields)
    return list(reader.read(reader.given(batch), batch.num_rows)[1].tolist())


def test_usual_columns_are_not_looked_at_cell_by_cell() -> None:
    usual = pa.record_batch({name: pa.array([cell] * 3) for name, cell in GOOD.items()})
    fields = {n: [field] * 3 for n, field in GOOD_FIELDS.items() if n in FLAT.names}
    as_text = pa.record_batch(fields, schema=csv_schema(list(fields)))

    assert is_odd(usual) == [False] * 3
    assert is_odd(usual.slice(1)) == [False] * 2
    assert is_odd(as_text, FLAT, fields=True) == [False] * 3
    for name, array in USUAL:
        changed = usual.set_column(usual.schema.get_field_index(name), name, array)
        assert is_odd(changed) == [False] * 3, (name, array.type)


TILES = np.arange(12).reshape(3, 2, 2)
USUAL = [
    ("id", compute.run_end_encode(pa.array([1, 1, 3]))),
    ("place", compute.run_end_encode(pa.array(["a", "a", None]))),
    ("tile", pa.FixedShapeTensorArray.from_numpy_ndarray(TILES)),
    ("price", pa.array([1.5, None, np.nan])),
    ("price", pa.array([1, 2, 3], pa.uint8()).dictionary_encode()),
    ("price", pa.array([Decimal("1.25"), None, Decimal("-3.00")])),
    ("share", pa.array([0.5, None, 1], pa.float16())),
    ("share", pa.array([0.5, None, 1], pa.float32())),
    ("rooms", pa.array([1.0, None, 3.0])),
    ("rooms", pa.array([1, None, 3], pa.int8())),
    ("id", pa.array([1.0, 2.0, 3.0])),
    ("id", pa.array([2**62, 2, 3], pa.uint64())),
    ("ratio", pa.array([np.inf, -np.inf, 0])),
    ("place", pa.array(["a", None, "b"])),
    ("place", pa.array(["a", None, "b"], pa.string_view())),
    ("place", pa.array(["a", None, "b"]).dictionary_encode()),
    ("place", pa.array([b"a", None, b"b"])),
    ("place", pa.nulls(3)),
    ("day", pa.array([date(2026, 1, 31), None, date(1999, 12, 1)])),
    ("at", pa.array([datetime(2026, 1, 31)] * 3, pa.timestamp("ns", "+02:00"))),
    ("month", pa.array([datetime(2026, 1, 31)] * 3, pa.timestamp("ms"))),
    ("series", pa.array([[1, 2], [None, 3], [4, 5]])),
    ("tile", pa.array([[1, 2, 3, 4]] * 3)),
    ("tile", pa.array([[[1.0, 2.0], [3.0, 4.0]]] * 3, pa.list_(pa.list_(pa.float64(), 2), 2))),
]


def hold_together(batch: Any, wide: bool) -> None:
    slow, quick = LeftOut(), LeftOut()
    quick.problems = AllProblems()
    expected = validate_rows(by_json(batch), SIGNATURE, left_out=slow)

    found = Reader(SIGNATURE, wide=wide).table(batch, quick, {})

    assert outcome(found, quick) == outcome(expected, slow)
    if expected.rows:
        check_same(found, expected, SIGNATURE)


@pytest.mark.long
@settings(max_examples=600, deadline=None)
@given(batch=tables(), wide=st.booleans())
def test_a_table_is_read_as_its_rows_in_json(batch: Any, wide: bool) -> None:
    note(repr(batch.to_pylist()))
    hold_together(batch, wide)


ODD = [
    ("price", pa.array([2**53 + 1, 2**53 + 3, 1], pa.uint64())),
    ("price", pa.array([Decimal(n) / 10**10 for n in (2**53 + 1, 2**60 + 7, -(2**62) - 3)])),
    ("price", pa.array([Decimal(2**63), Decimal(2**64), Decimal(-(2**63) - 1)])),
    ("size", pa.array([1e39, -1e39, LARGEST_FLOAT32])),
    ("share", pa.array([np.inf, 1, np.nan], pa.float16())),
    ("rooms", pa.array([-0.0, 2.0**62, 3.5])),
    ("rooms", pa.array([2**53 + 1, -(2**63), None])),
    ("id", pa.array([2**63, 2**64 - 1, 1], pa.uint64())),
    ("id", pa.array([-(2.0**63), 2.0**63, np.nan])),
    ("id", pa.array([Decimal("3.0"), Decimal("3.5"), None])),
    ("grade", pa.array([1, 3, None], pa.int8()).dictionary_encode()),
    ("floor", pa.array([-4, 100, 101])),
    ("new", pa.array([True, None, False])),
    ("place", pa.array([b"a", b"\xff", "é".encode()])),
    ("place", pa.array([MISSING_TEXT, "abcdef", "abcde"]).dictionary_encode()),
    ("kind", pa.array(["a", "c", None], pa.string_view())),
    ("day", pa.array([date(1650, 1, 1), date(2251, 1, 1), date(2250, 12, 31)])),
    ("at", pa.array([1, 10**9, None], pa.timestamp("ns", "+02:00"))),
    ("month", pa.array(["31.01.2026 10:00", "2026-01-31", ""])),
    ("series", pa.array([[np.inf, 1.0], [np.nan, 1.0], [1.0, None]])),
    ("series", pa.array([[], [1.0] * 5, None])),
    ("series", pa.array([1.0, np.inf, None])),
    ("flags", pa.array([[True, None], [True], [False, True]])),
    ("tile", pa.array([[1, 2, 3, -1], [1, 2, 3], [1, 2, 3, None]])),
    ("tile", pa.array([[[1.0, 2.0], [3.5, 4.0]], [[1.0], [2.0, 3.0]], [[1.0, 2.0]] * 3])),
    (
        "tile",
        pa.array([[[1, 2], [3, 2**63]], [[1, 2], None], None], pa.list_(pa.list_(pa.uint64()))),
    ),
]


@pytest.mark.parametrize("name", sorted({name for name, _ in ODD}))
@pytest.mark.parametrize("start", [0, 1])
def test_odd_cells_are_judged_as_in_json(name: str, start: int) -> None:
    usual = pa.record_batch({name: pa.array([cell] * 3) for name, cell in GOOD.items()})
    at = usual.schema.get_field_index(name)
    for array in [array for each, array in ODD if each == name]:
        hold_together(usual.set_column(at, name, array).slice(start), wide=False)


FIELDS = st.sampled_from(
    ["", "0", "-0", "1", "2", "3", "007", "+5", "3.0", "3.5", ".5", "1.", "-.5"]
)
FIELDS |= st.sampled_from(["1e5", "1E+5", "1e-5", "1e999", "1e400", "nan", "NaN", "inf", "-inf"])
FIELDS |= st.sampled_from(
    ["Infinity", "-infinity", " 1 ", "1 000", "1_000", "0x10", "1e", ".", "-"]
)
FIELDS |= st.sampled_from(
    ["true", "False", " TRUE", "a", "b", "é", "1,5", "x\ny", '"', "2026-01-31"]
)
FIELDS |= st.sampled_from([str(2**53 + 1), str(2**63 - 1), str(2**63), str(-(2**63)), "9" * 301])
FIELDS |= st.sampled_from(
    ["9007199254740993.0", "2026-01-31T10:00:00Z", "31.01.2026 10:00", "[1, 2]"]
)
FIELDS |= st.sampled_from(
    ["[true, null]", "[[1, 2], [3, 4]]", "[1, 2, 3, 4]", "1e16", "nan(1)", "\u0661"]
)
FIELDS |= st.floats().map(repr) | st.integers(-(2**64), 2**64).map(str)
GOOD_FIELDS = {
    name: json.dumps(cell) if isinstance(cell, list | bool) else str(cell)
    for name, cell in GOOD.items()
}


def with_fields(**columns: list[str]) -> dict[str, list[str]]:
    return {**{name: [field] * 2 for name, field in GOOD_FIELDS.items()}, **columns}


@st.composite
def csv_tables(draw: st.DrawFn) -> Any:
    rows = draw(st.integers(1, 5))
    fields = {name: [field] * rows for name, field in GOOD_FIELDS.items()}
    for name in draw(st.lists(st.sampled_from(list(GOOD)), min_size=1, max_size=3, unique=True)):
        fields[name] = draw(st.lists(FIELDS, min_size=rows, max_size=rows))
    return fields


@pytest.mark.long
@settings(max_examples=600, deadline=None)
@given(fields=csv_tables(), nulls=st.booleans(), start=st.integers(0, 1), flat=st.booleans())
@example(fields=with_fields(id=["3.0", str(2**53 + 1)]), nulls=False, start=0, flat=True)
@example(fields=with_fields(id=["0x10", "1"]), nulls=False, start=0, flat=True)
@example(fields=with_fields(price=["0x10", "+5"]), nulls=False, start=0, flat=True)
@example(fields=with_fields(id=["1e2", "+5"]), nulls=False, start=0, flat=True)
@example(fields=with_fields(ratio=["1e999", "1e"]), nulls=True, start=0, flat=True)
def test_fields_of_csv_are_read_as_http_reads_them(
    fields: dict[str, list[str]], nulls: bool, start: int, flat: bool
) -> None:
    signature = FLAT if flat else SIGNATURE  # lists are always looked at one by one
    fields = {name: column for name, column in fields.items() if name in signature.names}
    body = io.StringIO()
    csv.writer(body).writerows([list(fields), *zip(*fields.values(), strict=True)])
    frame = csv_text.read(body.getvalue().encode(), Request().check_rows)
    typed = csv_text.typed(frame.rows, frame.names, COLUMNS)[start:]
    if not typed:
        return
    slow, quick = LeftOut(), LeftOut()
    quick.problems = AllProblems()
    rows = [dict(zip(frame.names or (), row, strict=True)) for row in typed]
    expected = validate_rows(rows, signature, left_out=slow)
    read = {n: [None if nulls and not f else f for f in column] for n, column in fields.items()}
    batch = pa.record_batch(read, schema=csv_schema(list(fields)))

    found = Reader(signature, fields=True).table(batch.slice(start), quick, {})

    note(repr(fields))
    assert outcome(found, quick) == outcome(expected, slow)
    if expected.rows:
        check_same(found, expected, signature)


def test_broken_rows_are_reported_with_the_others() -> None:
    arrays = {name: pa.array([cell] * 4) for name, cell in GOOD.items()}
    arrays["id"] = pa.array([1, None, 3, None])
    left_out = LeftOut()

    table = Reader(SIGNATURE).table(pa.record_batch(arrays), left_out, {3: "expected 17 fields"})

    assert (table.rows, left_out.kept) == (2, [0, 2])
    assert left_out.problems.first == [
        Problem(1, "id", "missing value, and the model does not take one here"),
        Problem(3, None, "expected 17 fields"),
    ]
