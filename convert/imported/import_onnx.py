"""From an ONNX file that another framework exported to a model directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from onnxlet.convert.directory.summaries import column_statistics
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.imported.inputs import (
    InputTensor,
    free_batches,
    input_tensors,
    signature_inputs,
)
from onnxlet.convert.imported.onnx_file import check_versions, open_session, opsets, read_onnx
from onnxlet.convert.imported.outputs import KINDS, Served, served_outputs, serving_part
from onnxlet.convert.imported.sample import (
    check_names,
    instances,
    made_rows,
    read_arrays,
    read_sample,
    with_missing,
)
from onnxlet.convert.imported.trial import check_it_ends, check_loops
from onnxlet.convert.manifest import versions
from onnxlet.convert.parity.comparison import CHUNK, TOLERANCE, Comparison, compare
from onnxlet.convert.parity.refusals import differences_in_words
from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.function import json_text
from onnxlet.function.errors import InvalidRows
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.serving.golden import replay, usual_size

VERIFIED = "verified"  # against the answers that came with the file
UNVERIFIED = "unverified"
MIXED_HINT = "Export the model for inference: model.eval(), training=False, no random numbers."
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
    breaking: bool = False,
) -> Built:
    """Take an ONNX file, try it, and write the next version of a model.

    Args:
        path: of the file; its external data may lie beside it.
        name: the model's.
        folder: the folder of model directories.
        report: called with a line for each step.
        sample: an .npz file of inputs by name, rows first.
        expected: an .npz file of the framework's own answers to them, by output name.
        breaking: clients of the version that is served need not go on with this one.

    Raises:
        WrongUse: a file is not there, or not of the form that the model needs.
        Refusal: the model can't be served, answers otherwise than expected, or clients of the
            version that is served could not go on.
    """
    check_name(name)
    check_folder(folder, name)
    proto, embedded = read_onnx(path)
    report(f"{_origin(proto)}; {', '.join(f'{d} {v}' for d, v in opsets(proto).items())}")
    if embedded:
        report(f"tensors whose data lie outside, put into model.onnx: {embedded}")
    check_versions(proto)
    check_loops(proto)
    freed = free_batches(proto)
    content = proto.SerializeToString(deterministic=True)
    check_it_ends(content, sample)
    session = open_session(content)
    tensors = input_tensors(session)
    rows = read_sample(sample, tensors) if sample else made_rows(tensors)
    served = served_outputs(session, tensors, rows, freed, report)
    public, private = signature_inputs(tensors, with_missing(rows.arrays, tensors))
    manifest = serving_part(served, public, private)
    model = Model("imported", 1, manifest, content)
    cells = instances(rows.arrays, tensors)
    _check_rows_are_independent(model, cells)
    given = [] if rows.made else cells
    proof = _prove(model, given, served, expected)
    parts = {"model.onnx": content, "golden.json": json_text.dumps(proof.golden)}
    made = background_file(model, given, "sample") if given else None
    if made is not None:
        manifest["background"], parts[BACKGROUND] = made
    manifest |= {
        "parity": proof.parity,
        "metrics": None,
        "statistics": _statistics(tensors, given),
        "origin": {"producer": _origin(proto), "opsets": opsets(proto)},
        "versions": versions(),
        "files": {file: sha256(content) for file, content in parts.items()},
    }
    faults = replay(Model("imported", 1, manifest, content), proof.golden)
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


def _answers(model: Model, rows: Sequence[Cells]) -> Answers:
    """The function's own answers, validation included."""
    parts = []
    for start in range(0, len(rows), CHUNK):
        try:
            table = validate_rows(rows[start : start + CHUNK], model.signature)
        except InvalidRows as error:
            raise Refusal(
                f"the sample is refused: {error.problems[0]}",
                "A row is counted from 0. Leave it out, or send what the type of the input holds.",
            ) from error
        parts.append(model.run(table))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _check_rows_are_independent(model: Model, rows: Sequence[Cells]) -> None:
    """A row's answer may not depend on the rows that it is sent with."""
    few = list(rows[:3])
    together = _answers(model, few)
    for position, row in enumerate(few):
        single = _answers(model, [row])
        one_row = {name: array[position : position + 1] for name, array in together.items()}
        if not _compared(model, [row], one_row).passed or any(
            single[name].shape != array.shape for name, array in one_row.items()
        ):
            raise Refusal(
                f"row {position} is answered otherwise by itself than together with "
                f"{len(few) - 1} others",
                MIXED_HINT,
            )


def _compared(model: Model, rows: Sequence[Cells], answers: Answers) -> Comparison:
    task = Task("transformation", {name: name for name in answers})
    return compare(model, task, rows, answers, _floors(answers))


def _floors(answers: Answers) -> dict[str, float]:
    """A framework computes in 32 bits: an output's numbers count against their usual size."""
    return {name: usual_size(a) for name, a in answers.items() if a.dtype.kind == "f"}


def _prove(
    model: Model, rows: list[Cells], served: Sequence[Served], expected: Path | None
) -> Proof:
    if not rows:
        golden = choose_golden([], {}, np.zeros(0, dtype=bool))
        return Proof(golden, {"state": UNVERIFIED, "reason": "no sample was given"})
    own = _answers(model, rows)
    wanted = own if expected is None else _expected(expected, served, own)
    comparison = _compared(model, rows, wanted)
    evidence = Evidence(rows, wanted, len(rows))
    if not comparison.passed:
        raise Refusal(
            differences_in_words(comparison, evidence, model.signature.columns), DIFFERS_HINT
        )
    golden = choose_golden(rows, wanted, np.zeros(len(rows), dtype=bool))
    golden["floors"] = _floors(wanted)
    if expected is None:
        about = {"state": UNVERIFIED, "reason": "the sample's answers are ONNX Runtime's own"}
        return Proof(golden, about | {"held_out_rows": len(rows)})
    return Proof(golden, _certificate(comparison, len(rows)))


def _certificate(comparison: Comparison, rows: int) -> dict[str, Any]:
    """What was measured, in the members that a build's certificate has too."""
    return {
        "state": VERIFIED,
        "held_out_rows": rows,
        "hard_rows": 0,
        "differing_rows": 0,
        "tolerance": TOLERANCE,
        "outputs": {
            name: {"largest_absolute": d.absolute, "largest_relative": d.relative}
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
    columns = [
        InputColumn(name, name, tensor.type)  # type: ignore[arg-type] # one of the column types
        for tensor in tensors
        for name in tensor.columns
    ]
    return column_statistics(columns, rows, "sample")


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
    for output, off in parity["outputs"].items():
        yield f"  {output:<11} off by at most {off['largest_relative']:.1e} (relative)"
    yield f"  tolerance   {parity['tolerance']:.0e}"
