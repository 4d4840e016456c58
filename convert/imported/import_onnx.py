"""From an ONNX file that another framework exported to a model directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from onnxlet.convert.build import Built
from onnxlet.convert.directory.background import background_file
from onnxlet.convert.directory.golden import choose_golden
from onnxlet.convert.directory.model_directory import (
    check_folder,
    check_name,
    sha256,
    write_version,
)
from onnxlet.convert.directory.reference_statistics import FEWEST_ROWS, reference_statistics
from onnxlet.convert.directory.summaries import column_statistics
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.imported.inputs import InputTensor
from onnxlet.convert.imported.onnx_file import check_versions, opsets, read_onnx
from onnxlet.convert.imported.outputs import KINDS, Served
from onnxlet.convert.imported.sample import check_names, read_arrays
from onnxlet.convert.imported.shapes import apply, parse
from onnxlet.convert.imported.taking import Taken, answers, compared, take
from onnxlet.convert.imported.text_options import TextOptions
from onnxlet.convert.imported.translator import (
    PREDICTION,
    both,
    example,
    expected_texts,
    take_texts,
)
from onnxlet.convert.imported.trial import check_loops
from onnxlet.convert.manifest import versions
from onnxlet.convert.parity.comparison import TOLERANCE, Comparison
from onnxlet.convert.parity.refusals import differences_in_words
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function import json_text
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.models.model import Model
from onnxlet.function.serving.golden import replay

VERIFIED = "verified"  # against the answers that came with the file
UNVERIFIED = "unverified"
GOLDEN_VALUES = 2**16  # in all golden rows and their answers: each is text in golden.json
DIFFERS_HINT = (
    "Nothing was written. Were the expected answers computed for inference (model.eval(), "
    "training=False), on the CPU, from these very inputs?"
)


def import_onnx(
    path: Path,
    name: str,
    folder: Path,
    report: Callable[[str], object],
    sample: Path | None = None,
    expected: Path | None = None,
    *,
    shapes: Sequence[str] = (),
    breaking: bool = False,
    texts: TextOptions | None = None,
) -> Built:
    """Take an ONNX file, try it, and write the next version of a model.

    Args:
        path: of the file; its external data may lie beside it.
        name: the model's.
        folder: the folder of model directories.
        report: called with a line for each step.
        sample: an .npz file of inputs by name, rows first; or a file of texts.
        expected: an .npz file of the framework's own answers to them, by output name; or a file
            of texts.
        shapes: sizes for free dimensions, such as "x=1,3,320,320" or "sequence=..128".
        breaking: clients of the version that is served need not go on with this one.
        texts: the file is an encoder of texts, and its decoder is there; None for any other.

    Raises:
        WrongUse: a file is not there, or not of the form that the model needs.
        Refusal: the model can't be served, does not answer as expected, or clients of the
            version that is served could not go on.
    """
    check_name(name)
    check_folder(folder, name)
    proto, embedded = read_onnx(path)
    report(f"{_origin(proto)}; {', '.join(f'{d} {v}' for d, v in opsets(proto).items())}")
    if embedded:
        report(f"tensors whose data lie outside, put into model.onnx: {embedded}")
    if texts is None:
        check_versions(proto)
        check_loops(proto)
        longest = apply(proto, parse(shapes))
        taken = take(proto, longest, sample, report)
    else:
        decoder, _ = read_onnx(texts.decoder)
        together = both(proto, decoder, texts)
        taken = take_texts(together, texts.column, sample, report)
    given = [] if taken.made else taken.rows
    proof = _prove(taken, given, expected, texts is not None)
    parts = {"model.onnx": taken.content, "golden.json": json_text.dumps(proof.golden)}
    manifest = dict(taken.model.manifest)
    explained = bool(given) and texts is None and not any(tensor.nested for tensor in taken.tensors)
    made = background_file(taken.model, given, "sample") if explained else None
    if made is not None:
        manifest["background"], parts[BACKGROUND] = made
    statistics = _statistics(taken.tensors, given)
    if texts is not None:
        statistics["columns"][texts.column]["example"] = example(together.vocabulary)
    manifest |= {
        "parity": proof.parity,
        "metrics": None,
        "statistics": statistics,
        **_reference(taken.model, given),
        "origin": {"producer": _origin(proto), "opsets": opsets(proto)},
        "versions": versions(),
        "files": {file: sha256(content) for file, content in parts.items()},
    }
    faults = replay(Model("imported", 1, manifest, taken.content), proof.golden)
    if faults:
        raise Refusal(f"the golden rows are not answered through JSON: {faults[0]}")
    files = {**parts, "manifest.json": json_text.dumps(manifest)}
    version, new = write_version(folder, name, files, breaking, report)
    return Built(
        folder / name / str(version), version, new, json_text.loads(files["manifest.json"])
    )


def _origin(proto: onnx.ModelProto) -> str:
    return f"{proto.producer_name or 'unknown producer'} {proto.producer_version}".strip()


# what it answers


class Proof(NamedTuple):
    """The golden rows, and what was compared."""

    golden: dict[str, Any]
    parity: dict[str, Any]


def _prove(taken: Taken, rows: list[Cells], expected: Path | None, texts: bool) -> Proof:
    if not rows:
        golden = choose_golden([], {}, np.zeros(0, dtype=bool))
        return Proof(golden, {"state": UNVERIFIED, "reason": "no sample was given"})
    own = answers(taken.model, rows)
    if expected is None:
        wanted = own
    elif texts:
        wanted = expected_texts(expected, own)
    else:
        wanted = _expected(expected, taken.served, own)
    proven = {PREDICTION: wanted[PREDICTION]} if texts else wanted  # their scores are our own
    comparison = compared(taken, rows, proven)
    evidence = Evidence(rows, wanted, len(rows))
    if not comparison.passed:
        raise Refusal(
            differences_in_words(comparison, evidence, taken.model.signature.columns),
            DIFFERS_HINT,
        )
    golden = _golden(taken, rows, wanted)
    if expected is None:
        about = {"state": UNVERIFIED, "reason": "the sample's answers are ONNX Runtime's own"}
        return Proof(golden, about | {"held_out_rows": len(rows)})
    return Proof(golden, _certificate(comparison, len(rows), golden["floors"]))


def _golden(taken: Taken, rows: Sequence[Cells], wanted: Answers) -> dict[str, Any]:
    """Some rows with their answers, few of them where they have many values."""
    values = sum(prod(map(abs, each.sizes(each.longest))) for each in taken.tensors)
    values += sum(np.size(array[0]) for array in wanted.values())
    few = evenly_spaced(range(len(rows)), max(1, GOLDEN_VALUES // values))
    some = {name: array[few] for name, array in wanted.items()}
    golden = choose_golden([rows[row] for row in few], some, np.zeros(len(few), dtype=bool))
    golden["floors"] = taken.floors(wanted)
    return golden


def _certificate(comparison: Comparison, rows: int, floors: Mapping[str, float]) -> dict[str, Any]:
    """What was measured, in the members that a build's certificate has too.

    `allowed` is the difference that an output's numbers may have, however small they are.
    """
    return {
        "state": VERIFIED,
        "held_out_rows": rows,
        "hard_rows": 0,
        "differing_rows": 0,
        "tolerance": TOLERANCE,
        "outputs": {
            name: {"largest_absolute": d.absolute, "largest_relative": d.relative}
            | ({"allowed": TOLERANCE * floors[name]} if name in floors else {})
            for name, d in comparison.outputs.items()
        },
    }


def _expected(path: Path, served: Sequence[Served], own: Answers) -> Answers:
    """The framework's answers, in the form that the function answers in."""
    arrays = read_arrays(path, "--expected")
    check_names(arrays, [output.output for output in served], f"--expected: '{path}'")
    wanted: Answers = {}
    for output in served:
        array, got = arrays[output.output], own[output.name]
        if array.shape[:1] != got.shape[:1] or array.size != got.size:
            raise Refusal(
                f"--expected: '{output.output}': expected the shape {got.shape}, got {array.shape}",
                "One entry for each row of the sample.",
            )
        array = array.reshape(got.shape)
        if KINDS.get(array.dtype.kind) != KINDS[got.dtype.kind]:
            raise Refusal(
                f"--expected: '{output.output}': expected {got.dtype}, got {array.dtype}",
                "Give it as the model answers.",
            )
        wanted[output.name] = array.astype(np.float64 if array.dtype.kind == "f" else got.dtype)
    return wanted


def _statistics(tensors: Sequence[InputTensor], rows: list[Cells]) -> dict[str, Any]:
    """Of the columns that hold one value; what nested lists hold has no name."""
    names = [(name, tensor) for tensor in tensors for name in tensor.columns]
    flat = [position for position, (_, tensor) in enumerate(names) if not tensor.nested]
    columns = [
        InputColumn(names[position][0], names[position][0], names[position][1].type)  # type: ignore[arg-type] # one of the column types
        for position in flat
    ]
    return column_statistics(columns, [[row[n] for n in flat] for row in rows], "sample")


def _reference(model: Model, rows: list[Cells]) -> dict[str, Any]:
    """The manifest's member, of the sample's rows and the model's own answers to them."""
    made = None
    if len(rows) >= FEWEST_ROWS:
        made = reference_statistics(model, rows, "sample", rows, answers(model, rows))
    return {} if made is None else {"reference": made}


def import_lines(name: str, version: int, manifest: Mapping[str, Any]) -> Iterator[str]:
    """What an import prints, line by line."""
    parity = manifest["parity"]
    inputs = manifest["signature"]["inputs"]
    yield f"imported {name} version {version} from {manifest['origin']['producer']}"
    for entry in (*inputs, *manifest["signature"]["outputs"]):
        side = "input" if entry in inputs else "output"
        yield f"  {side:<11} {entry['name']}: {entry['type']} {entry['shape']}"
    if parity["state"] == UNVERIFIED:
        yield f"  unverified  {parity['reason']}"
        return
    yield f"  rows        {parity['held_out_rows']} with expected answers: none differs"
    texts = {o["name"] for o in manifest["signature"]["outputs"] if o["type"] == "string"}
    for output, off in parity["outputs"].items():
        if output in texts:
            yield f"  {output:<11} equal, character by character"
            continue
        yield f"  {output:<11} off by at most {off['largest_relative']:.1e} (relative)"
    yield f"  tolerance   {parity['tolerance']:.0e}"
