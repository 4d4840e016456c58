"""Costly bodies: a request made from a few numbers and words, so that a search can vary them.

A body is one protocol's form around rows of one kind of cell, up to a size. Most are refused: a
refusal has to be as quiet as an answer.
"""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MEGABYTE = 2**20
MOST_SENT = 6 * MEGABYTE  # the server's own default
ROWS = 10_000  # likewise

# The front ends' models, and how many columns each has (bench/silence.py builds them).
MODELS: Mapping[str, int] = {
    "numbers": 30, "array": 30, "wide": 784, "mixed": 8,
    "words": 1, "accents": 1, "characters": 1, "hashed": 1,
}  # fmt: skip

# One cell's JSON, by what it costs its reader; most have few bytes for what they become.
CELLS: Mapping[str, str] = {
    "digit": "7", "integer": "-6", "decimal": "1.5", "long decimal": "0.12345678901234567",
    "null": "null", "NaN": "NaN", "boolean": "true", "empty text": '""', "letter": '"a"',
    "short text": '"ab"', "word": '"café ' + "good movie " * 20 + '"', "list": "[]",
    "object": "{}", "small object": '{"a":1}', "base64": '{"b64":"YQ=="}', "deep": "[[[[1]]]]",
    "exponent": "1e9", "huge": "1e400", "digits": "9" * 400, "many digits": "1." + "3" * 5000,
    "marks": '"' + "\u0301\u0323" * 20_000 + '"', "emoji": '"' + "a" * 5000 + "🦙" + '"',
    "escapes": '"' + r"\u0301\u0323" * 2000 + '"', "long text": '"' + "ab " * 33_000 + '"',
    "too long text": '"' + "x" * 200_000 + '"', "spaces": " " * 200 + "1", "wrong": "x",
}  # fmt: skip
FITTING: Mapping[str, tuple[str, ...]] = {
    "number": ("digit", "integer", "decimal", "long decimal", "exponent", "many digits"),
    "text": ("letter", "short text", "word", "marks", "emoji", "escapes", "long text"),
}
NAMES = ("known", "distinct", "one", "none")
FORMS = (
    "native", "bare", "csv", "lines", "v1 rows", "v1 columns", "mlflow split", "mlflow records",
    "mlflow instances", "mlflow inputs", "v2 flat", "v2 nested", "v2 columns", "v2 tensors",
    "v2 binary", "v2 text", "v2 raw", "members", "explain",
)  # fmt: skip
QUERIES = ("", "?on_error=null", "?outputs=all")
WIDTHS = ("right", "none", "one", "ten", "thousand", "all")


@dataclass(frozen=True)
class Gene:
    """What a body is made of.

    Attributes:
        form: of which protocol.
        model: that is asked.
        cell: of CELLS, that the rows are filled with.
        last: of CELLS, instead of the very last one.
        width: values in a row; `all` puts everything into one.
        rows: at most.
        bytes: that it may have, unpacked.
        names: of objects' members, CSV's header, columns and tensors.
        query: behind the path.
        packed: as gzip; larger ones always are.
        compressed: the answer may be.
    """

    form: str
    model: str
    cell: str
    last: str
    width: str
    rows: int
    bytes: int
    names: str
    query: str = ""
    packed: bool = False
    compressed: bool = False


CHOICES: Mapping[str, tuple[Any, ...]] = {
    "form": FORMS, "model": tuple(MODELS), "cell": tuple(CELLS), "last": tuple(CELLS),
    "width": WIDTHS, "rows": (1, 100, ROWS, ROWS, ROWS, ROWS + 1, 10**9),
    "bytes": (MEGABYTE, 5 * MEGABYTE, 23 * MEGABYTE), "names": NAMES, "query": QUERIES,
    "packed": (False, True), "compressed": (False, True),
}  # fmt: skip


def anything(choose: random.Random) -> Gene:
    """A body made by chance; its last cell mostly is like the others."""
    drawn = {name: choose.choice(choices) for name, choices in CHOICES.items()}
    if choose.random() < 0.5:  # else most would be refused for the first thing that is looked at
        kind = "text" if MODELS[drawn["model"]] == 1 else "number"
        drawn |= {"cell": choose.choice(FITTING[kind]), "width": "right", "rows": ROWS}
        drawn["names"] = choose.choice(("known", "none"))
    if choose.random() < 0.7:
        drawn["last"] = drawn["cell"]
    if choose.random() < 0.7:
        drawn["query"], drawn["width"] = "", "right"
    return Gene(**drawn)


def mutated(gene: Gene, choose: random.Random) -> Gene:
    """Another one like it: one or two of its parts are chosen again."""
    parts = choose.sample(list(CHOICES), choose.choice((1, 2)))
    return replace(gene, **{name: choose.choice(CHOICES[name]) for name in parts})


@dataclass(frozen=True)
class Sent:
    """A request.

    Attributes:
        path: with its query.
        headers: by name.
        body: as it is sent.
        unpacked: bytes of the body before it was packed.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    unpacked: int


def request(gene: Gene) -> Sent | None:
    """What a gene describes; None where no server takes so much: it would be cut off unread."""
    path, media_type, body, headers = MAKERS.get(gene.form, _json)(gene)
    sent, unpacked = body, len(body)
    headers = {"Content-Type": media_type, **headers}
    if gene.packed or len(body) > MOST_SENT:
        sent = gzip.compress(body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    if gene.compressed:
        headers["Accept-Encoding"] = "gzip"
    if len(sent) > MOST_SENT:
        return None
    return Sent(path + gene.query, headers, sent, unpacked)


def _width(gene: Gene) -> int:
    cell = len(CELLS[gene.cell]) + 1
    widths = {"right": MODELS[gene.model], "none": 0, "one": 1, "ten": 10, "thousand": 1000}
    return widths.get(gene.width, max(1, gene.bytes // cell))


def _names(gene: Gene, width: int) -> list[str]:
    if gene.names == "known":
        own = [f"x{index}" for index in range(MODELS[gene.model])]
        return (own + [f"more {index}" for index in range(width)])[:width]
    if gene.names == "distinct":
        return [f"u{index:07d}" for index in range(width)]
    return ["x0" if gene.names == "one" else ""] * width


def _rows(gene: Gene, form: Callable[[int], str], close: str, between: str = ",") -> str:
    """Rows up to the size, the last one with the last cell."""
    first = form(0)
    most = max(1, min(gene.rows, gene.bytes // (len(first) + 1)))
    if gene.names == "distinct" and "{" in first:
        rows = [form(number) for number in range(most)]
    else:
        rows = [first] * most
    cell, last = CELLS[gene.cell], CELLS[gene.last]
    if gene.last != gene.cell and rows[-1].endswith(cell + close):
        rows[-1] = rows[-1].removesuffix(cell + close) + last + close
    return between.join(rows)


def _lists(gene: Gene) -> str:
    row = "[" + ",".join([CELLS[gene.cell]] * _width(gene)) + "]"
    return _rows(gene, lambda number: row, "]")


def _objects(gene: Gene) -> str:
    width, cell = _width(gene), CELLS[gene.cell]
    known = _names(gene, width)

    def row(number: int) -> str:
        names = known
        if gene.names == "distinct":
            names = [f"u{index:07d}" for index in range(number * width, (number + 1) * width)]
        return "{" + ",".join(f'"{name}":{cell}' for name in names) + "}"

    return _rows(gene, row, "}")


def _columns(gene: Gene, cells: int) -> str:
    """Lists of cells by name."""
    width = max(1, _width(gene))
    rows = max(1, min(gene.rows, gene.bytes // (width * (len(CELLS[gene.cell]) + 1))))
    column = ",".join([CELLS[gene.cell]] * (rows - 1) + [CELLS[gene.last]])
    return "{" + ",".join(f'"{name}":[{column}]' for name in _names(gene, width)) + "}"


def _json(gene: Gene) -> tuple[str, str, bytes, dict[str, str]]:
    rows = _lists if gene.names == "none" else _objects
    texts = {
        "native": lambda: f'{{"instances":[{rows(gene)}]}}',
        "explain": lambda: f'{{"instances":[{rows(gene)}],"seconds":0.1}}',
        "bare": lambda: f"[{rows(gene)}]",
        "v1 rows": lambda: f'{{"instances":[{rows(gene)}]}}',
        "v1 columns": lambda: f'{{"inputs":{_columns(gene, 0)}}}',
        "mlflow instances": lambda: f'{{"instances":[{rows(gene)}]}}',
        "mlflow records": lambda: f'{{"dataframe_records":[{_objects(gene)}]}}',
        "mlflow inputs": lambda: f'{{"inputs":{_columns(gene, 0)}}}',
        "mlflow split": lambda: (
            f'{{"dataframe_split":{{"columns":{_header(gene)},"data":[{_lists(gene)}]}}}}'
        ),
        "members": lambda: _objects(replace(gene, rows=1, width="all")),
    }
    paths = {"native": "predict", "bare": "predict", "members": "predict", "explain": "explain"}
    if gene.form in paths:
        path = f"/models/{gene.model}/{paths[gene.form]}"
    else:
        path = f"/v1/models/{gene.model}:predict" if "v1" in gene.form else "/invocations"
    headers = {} if path != "/invocations" else {"X-Amzn-SageMaker-Target-Model": gene.model}
    return path, "application/json", texts[gene.form]().encode(), headers


def _header(gene: Gene) -> str:
    return "[" + ",".join(f'"{name}"' for name in _names(gene, _width(gene))) + "]"


def _csv(gene: Gene) -> tuple[str, str, bytes, dict[str, str]]:
    width = max(1, _width(gene))
    cell, last = (CELLS[name].replace("null", "") for name in (gene.cell, gene.last))
    line = ",".join([cell] * width)
    header = ",".join(_names(gene, width)) + "\n"
    most = max(1, min(gene.rows, (gene.bytes - len(header)) // (len(line) + 1)))
    text = header + "\n".join([line] * (most - 1) + [",".join([cell] * (width - 1) + [last])])
    if gene.form == "lines":
        headers = {"X-Amzn-SageMaker-Target-Model": gene.model, "Accept": "text/csv"}
        return "/invocations", "text/csv; header=present", text.encode(), headers
    return f"/models/{gene.model}/predict", "text/csv", text.encode(), {}


def _v2(gene: Gene) -> tuple[str, str, bytes, dict[str, str]]:
    width, cell = max(1, _width(gene)), CELLS[gene.cell]
    rows = max(1, min(gene.rows, gene.bytes // (width * (len(cell) + 1))))
    datatype = "BYTES" if cell.startswith('"') else "INT64" if cell in ("7", "-6") else "FP64"
    if gene.form in ("v2 flat", "v2 nested"):
        row = ",".join([cell] * width)
        lines = [row] * (rows - 1) + [",".join([cell] * (width - 1) + [CELLS[gene.last]])]
        nested = "[" + "],[".join(lines) + "]" if gene.form == "v2 nested" else ",".join(lines)
        name = "input" if gene.model in ("array", "wide") else "x0"
        inputs = _entry(name, [rows, width], datatype, nested)
    elif gene.form == "v2 columns":
        column = ",".join([cell] * (rows - 1) + [CELLS[gene.last]])
        inputs = ",".join(_entry(name, [rows], datatype, column) for name in _names(gene, width))
    else:
        few = _entry("u0000000", [1], datatype, cell)
        inputs = ",".join(
            _entry(f"u{number:07d}", [1], datatype, cell)
            for number in range(gene.bytes // (len(few) + 1))
        )
    return f"/v2/models/{gene.model}/infer", "application/json", _whole(inputs), {}


def _entry(name: str, shape: list[int], datatype: str, data: str) -> str:
    return f'{{"name":"{name}","shape":{shape},"datatype":"{datatype}","data":[{data}]}}'


def _whole(inputs: str) -> bytes:
    return f'{{"inputs":[{inputs}]}}'.encode()


BINARY = {"digit": "UINT8", "integer": "INT8", "decimal": "FP16", "huge": "FP32", "boolean": "BOOL"}


def _v2_binary(gene: Gene) -> tuple[str, str, bytes, dict[str, str]]:
    width = max(1, _width(gene))
    name = "input" if gene.model in ("array", "wide") else "x0"
    if gene.form == "v2 raw":
        content, header = bytes(gene.bytes // (8 * width) * 8 * width), ""
        return f"/v2/models/{gene.model}/infer", "application/octet-stream", content, {LENGTH: "0"}
    if gene.form == "v2 text":
        piece = CELLS[gene.cell].strip('"').encode()
        one, datatype = struct.pack("<I", len(piece)) + piece, "BYTES"
    else:
        datatype = BINARY.get(gene.cell, "FP64")
        one = bytes({"UINT8": 1, "INT8": 1, "BOOL": 1, "FP16": 2, "FP32": 4}.get(datatype, 8))
    rows = max(1, min(gene.rows, gene.bytes // (len(one) * width)))
    content = one * (rows * width)
    form = f'"shape":[{rows},{width}],"datatype":"{datatype}"'
    size = f'"parameters":{{"binary_data_size":{len(content)}}}'
    header = f'{{"inputs":[{{"name":"{name}",{form},{size}}}]}}'
    body = header.encode() + content
    return (
        f"/v2/models/{gene.model}/infer",
        "application/octet-stream",
        body,
        {LENGTH: str(len(header))},
    )


LENGTH = "Inference-Header-Content-Length"
MAKERS: Mapping[str, Callable[[Gene], tuple[str, str, bytes, dict[str, str]]]] = {
    "csv": _csv, "lines": _csv, "v2 flat": _v2, "v2 nested": _v2, "v2 columns": _v2,
    "v2 tensors": _v2, "v2 binary": _v2_binary, "v2 text": _v2_binary, "v2 raw": _v2_binary,
}  # fmt: skip
