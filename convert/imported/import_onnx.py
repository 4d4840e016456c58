"""From an ONNX file that another framework exported to a model directory, and its proof.

Golden rows are chosen, and answers compared with the framework's own, where these are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from onnxlet.convert.build import Built, proven_files, write
from onnxlet.convert.directory.background import background_file
from onnxlet.convert.directory.golden import choose_golden
from onnxlet.convert.directory.model_directory import (
    check_folder,
    check_name,
    highest_manifest,
)
from onnxlet.convert.directory.reference_statistics import (
    FEWEST_ROWS,
    column_statistics,
    reference_statistics,
)
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.imported.inputs import InputTensor, apply_shapes, parse_shapes
from onnxlet.convert.imported.onnx_file import check_versions, opsets, read_onnx
from onnxlet.convert.imported.outputs import KINDS, Served
from onnxlet.convert.imported.sample import check_names, read_arrays
from onnxlet.convert.imported.served_graph import ServedGraph, Trial, answers, compared
from onnxlet.convert.imported.text_options import TextOptions
from onnxlet.convert.imported.translator import (
    PREDICTION,
    example,
    expected_texts,
    paired,
    served_translator,
)
from onnxlet.convert.imported.trial import check_loops
from onnxlet.convert.imported.vision import Vision, judged_and_served, read
from onnxlet.convert.manifest import versions
from onnxlet.convert.parity.comparison import TOLERANCE, Comparison
from onnxlet.convert.parity.refusals import differences_in_words
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.convert.sources.origin import entries
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function import json_text
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.inputs.images import decoded_bytes, picture_size
from onnxlet.function.models.model import Model

VERIFIED = "verified"  # against the answers that came with the file
UNVERIFIED = "unverified"
GOLDEN_VALUES = 2**16  # in all golden rows and their answers: each is text in golden.json
TEXT_OF_VALUE = 16  # characters that a number takes there
DIFFERS_HINT = (
    "Nothing was written. Were the expected answers computed for inference (model.eval(), "
    "training=False), on the CPU, from these very inputs?"
)


class Proof(NamedTuple):
    """The golden rows, and what was compared."""

    golden: dict[str, Any]
    parity: dict[str, Any]


def prove(
    graph: ServedGraph, rows: list[Cells], expected: Path | None, *, texts: bool = False
) -> Proof:
    """Compare a model's answers with the framework's, and choose golden rows.

    Without rows of a sample, or without a file of expected answers, it is unverified. `texts`: it
    answers texts. Refusal: the answers differ.
    """
    if not rows:
        golden = choose_golden([], {}, np.zeros(0, dtype=bool))
        return Proof(golden, {"state": UNVERIFIED, "reason": "no sample was given"})
    own = answers(graph.model, rows)
    if expected is None:
        wanted = own
    elif texts:
        wanted = expected_texts(expected, own)
    else:
        wanted = _expected(expected, graph.served, own)
    proven = {PREDICTION: wanted[PREDICTION]} if texts else wanted  # their scores are our own
    comparison = compared(graph, rows, proven)
    evidence = Evidence(rows, wanted, len(rows))
    if not comparison.passed:
        raise Refusal(
            differences_in_words(comparison, evidence, graph.model.signature.columns),
            DIFFERS_HINT,
        )
    golden = golden_rows(graph, rows, wanted)
    if expected is None:
        about = {"state": UNVERIFIED, "reason": "the sample's answers are ONNX Runtime's own"}
        return Proof(golden, about | {"held_out_rows": len(rows)})
    return Proof(golden, _certificate(comparison, len(rows), golden["floors"]))


def golden_rows(graph: ServedGraph, rows: Sequence[Cells], wanted: Answers) -> dict[str, Any]:
    """Some rows with their answers, few of them where they have many values."""
    values = sum(_values(each, rows[0]) for each in graph.tensors)
    values += sum(np.size(array[0]) for array in wanted.values())
    few = evenly_spaced(range(len(rows)), max(1, GOLDEN_VALUES // values))
    some = {name: array[few] for name, array in wanted.items()}
    golden = choose_golden([rows[row] for row in few], some, np.zeros(len(few), dtype=bool))
    golden["floors"] = graph.floors(wanted)
    if graph.served[0].type == "boxes":
        [at] = [number for number, each in enumerate(graph.tensors) if each.image is not None]
        sides = [max(picture_size(decoded_bytes(row[at]))) for row in golden["instances"]]
        golden["floors"] |= {"prediction": sides}
    return golden


def _values(tensor: InputTensor, row: Cells) -> int:
    """How many values a row has of a tensor; a picture's text counts as so many, too."""
    if tensor.image is None:
        return prod(map(abs, tensor.sizes(tensor.longest)))
    return max(len(cell) for cell in row if isinstance(cell, str)) // TEXT_OF_VALUE


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


def import_onnx(
    path: Path,
    name: str,
    folder: Path,
    report: Report,
    sample: Path | None = None,
    expected: Path | None = None,
    *,
    shapes: Sequence[str] = (),
    images: Sequence[str] = (),
    boxes: str | None = None,
    breaking: bool = False,
    texts: TextOptions | None = None,
) -> Built:
    """Take an ONNX file, try it, and write the next version of a model.

    Args:
        path: of the file; its external data may lie beside it.
        name: the model's.
        folder: the folder of model directories.
        report: called with a line for each step.
        sample: an .npz file of inputs by name, rows first; a folder of pictures, or a list; or a
            file of texts.
        expected: an .npz file of the framework's own answers to them, by output name; or a file
            of texts.
        images: inputs that take pictures, such as "x=224x224,scale=1/255".
        boxes: outputs that are boxes, such as "boxes,scores,units=pixels".
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
        vision = read(proto, images, boxes)
        graph, proof = _numbers(proto, vision, parse_shapes(shapes), sample, expected, report)
    else:
        pair = paired(proto, read_onnx(texts.decoder)[0], texts)
        graph = served_translator(pair, texts.column, sample, report)
        proof = prove(graph, [] if graph.made else graph.rows, expected, texts=True)
    given = [] if graph.made else graph.rows
    parts = {"model.onnx": graph.content, "golden.json": json_text.dumps(proof.golden)}
    manifest = dict(graph.model.manifest)
    no_mix = boxes is not None or texts is not None or any(each.nested for each in graph.tensors)
    explained = bool(given) and not no_mix
    earlier = highest_manifest(folder, name)
    made = background_file(graph.model, given, "sample", earlier=earlier) if explained else None
    if made is not None:
        manifest["background"], parts[BACKGROUND] = made
    statistics = _statistics(graph.tensors, given)
    if texts is not None:
        statistics["columns"][texts.column]["example"] = example(pair.vocabulary)
    manifest |= {
        "parity": proof.parity,
        "metrics": None,
        "statistics": statistics,
        **_reference(graph.model, given),
        "origin": {
            "producer": _origin(proto),
            "opsets": opsets(proto),
            "graphs": entries([path, *((texts.decoder,) if texts else ())]),
        },
        "versions": versions(),
    }
    files = proven_files(graph.model, parts, manifest, proof.golden)
    return write(folder, name, files, breaking, report)


def _numbers(
    proto: onnx.ModelProto,
    vision: Vision,
    shapes: Any,
    sample: Path | None,
    expected: Path | None,
    report: Report,
) -> tuple[ServedGraph, Proof]:
    """Take a graph of numbers, perhaps of pictures and boxes, and prove it."""
    check_versions(proto)
    check_loops(proto)
    longest = apply_shapes(proto, shapes)
    trial = Trial(longest, sample, report)
    judged, graph = judged_and_served(proto, vision, trial, expected is not None)
    proof = prove(judged, [] if judged.made else judged.rows, expected)
    if graph is not judged or vision.boxes is not None or (vision.images and graph.made):
        own = answers(graph.model, graph.rows)
        proof = proof._replace(golden=golden_rows(graph, graph.rows, own))
        if vision.boxes is not None and not graph.made:
            # With wrong settings there are none, or too many.
            found = list(map(len, own["prediction"].tolist()))
            none = found.count(0)
            report(f"{sum(found)} boxes in {len(found)} pictures, of which {none} have none")
    if vision.boxes is not None and "outputs" in proof.parity:
        # By the graph's names: what clients see is chosen from these.
        names = {each.name: each.output for each in judged.served}
        outputs = proof.parity["outputs"].items()
        proof.parity["outputs"] = {names[name]: about for name, about in outputs}
    return graph, proof


def _origin(proto: onnx.ModelProto) -> str:
    return f"{proto.producer_name or 'unknown producer'} {proto.producer_version}".strip()


def _statistics(tensors: Sequence[InputTensor], rows: list[Cells]) -> dict[str, Any]:
    """Of the columns that hold one value; what nested lists hold has no name."""
    names = [(name, tensor) for tensor in tensors for name in tensor.columns]
    flat = [n for n, (_, tensor) in enumerate(names) if not (tensor.nested or tensor.image)]
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


def is_imported(manifest: Mapping[str, Any]) -> bool:
    """Whether a model directory came of another framework's file, and not of an estimator."""
    return "producer" in manifest.get("origin", {})


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
