"""Models as a folder for browsers has them: with nothing that is somebody's, and typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.bundle.contents import Chosen
from onnxlet.convert.directory.golden import GOLDEN_ROWS
from onnxlet.convert.directory.model_directory import sha256
from onnxlet.convert.errors import PackagingFailed
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.function import json_text
from onnxlet.function.explanation.background import text_columns
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.model_files import read_file
from onnxlet.function.models.example import PUBLISHED, TEXT, example_instance, statistics_of
from onnxlet.function.models.model import MANIFEST, Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.golden import floor_of
from onnxlet.function.serving.predict import predict

# Members of a manifest that answers are made from, or that servers return to everybody.
SHOWN = (*native.DESCRIBED, "conformal", "format", "graph", "positive", "versions")
MOST_WORDS = 12  # of a made-up text


class PublicModel(NamedTuple):
    """One model of a folder."""

    name: str
    version: int
    manifest: Mapping[str, Any]
    files: dict[str, bytes]  # by their paths below the folder of models


def public_model(chosen: Chosen) -> PublicModel:
    """What is published of a model directory: a model directory, with made-up golden rows."""
    model = load_model(chosen.directory)
    golden = json_text.dumps(made_up_golden(model, _made_up(chosen)))
    manifest = {key: each for key, each in model.manifest.items() if key in SHOWN}
    if "\\u0000" in json_text.dumps(manifest.get("classes")).decode():
        raise PackagingFailed(
            f"{chosen.name}: a label has U+0000 in it, where it would end in a browser",
            "Package the others, each by --model.",
        )
    known = statistics_of(model).items()
    manifest["statistics"] = {"columns": {name: _shown(about) for name, about in known}}
    kept = [f for f in chosen.files if f not in (MANIFEST, "golden.json", "background.json")]
    files = {file: read_file(chosen.directory, file) for file in kept} | {"golden.json": golden}
    manifest["files"] = {file: sha256(content) for file, content in files.items()}
    files[MANIFEST] = json_text.dumps(manifest)
    below = f"{chosen.name}/{chosen.version}"
    placed = {f"{below}/{file}": content for file, content in files.items()}
    return PublicModel(chosen.name, chosen.version, manifest, placed)


def _shown(about: Mapping[str, Any]) -> dict[str, Any]:
    """What servers return of a column; frequent values are without the numbers of their rows."""
    shown = {key: about[key] for key in PUBLISHED if key in about}
    return shown | {"frequent": [(value, 0) for value, _ in about.get("frequent", ())]}


def _made_up(chosen: Chosen) -> list[list[Any]]:
    """The rows that the build made up to explain answers from; none where it kept somebody's."""
    if "background.json" not in chosen.files:
        return []
    about = json_text.loads(read_file(chosen.directory, "background.json"))
    rows: list[list[Any]] = about["instances"] if about["source"] == "statistics" else []
    return rows


def made_up_golden(model: Model, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Golden rows that are nobody's, with the answers of this machine, proven to be scikit-learn's.

    Texts are of words that the model knows, which its graph publishes anyway.
    """
    example = example_instance(model)
    columns = [column.name for column in model.signature.columns]
    usual = [[example.get(name) for name in columns]]
    drawn = [list(row) for row in rows] or usual
    instances = [list(drawn[at % len(drawn)]) for at in range(max(GOLDEN_ROWS, len(drawn)))]
    for name, settings in text_columns(model).items():
        words = next((each["vocabulary"] for each in settings if "vocabulary" in each), None)
        known = [word for word in words or TEXT.split() if word]
        for at, row in enumerate(instances):
            random = Random(f"{name}/{at}")  # noqa: S311 - the same rows each time, and no secret
            row[columns.index(name)] = " ".join(random.choices(known, k=at % MOST_WORDS))
    return _answered(model, instances)


def _answered(model: Model, instances: list[list[Any]]) -> dict[str, Any]:
    """The rows that the model answers, and its answers as golden rows have them.

    PackagingFailed is raised where it answers none.
    """
    decoded = native.from_object({"instances": instances}, nulls=True)
    prediction = predict(model, decoded)
    given = json_text.loads(native.encode(prediction, decoded).body)
    wrong = {each.row for each in prediction.problems}
    good = [at for at in range(len(instances)) if at not in wrong]
    if not good:
        raise PackagingFailed(
            f"{model.name}: no row can be made up to prove it by: {prediction.problems[0]}",
            "Package the others, each by --model.",
        )
    names = [output.name for output in model.signature.outputs]
    answers = {name: [given[name][at] for at in good] for name in names}
    return {
        "tolerance": TOLERANCE,
        "instances": [instances[at] for at in good],
        "answers": answers,
        "floors": {name: _floor(name, each) for name, each in answers.items()},
    }


def _floor(name: str, answers: Any) -> Any:
    try:
        numbers = np.array(answers, dtype=np.float64)
    except (TypeError, ValueError):  # labels, or lists of other things
        return 0.0
    return np.asarray(floor_of(name, numbers)).tolist()


TS = {"float64": "number", "float32": "number", "int64": "number", "bool": "boolean"}


def typed_module(models: Iterable[PublicModel]) -> str:
    """Types of the module `onnxlet.js`, for TypeScript, of these models by name."""
    parts = [HEAD]
    for model in models:
        signature = Signature.from_manifest(model.manifest)
        row = "".join(
            f"{_quoted(each.name)}{'' if each.required else '?'}: "
            f"{TS.get(each.type, 'string')}{' | null' if each.nullable else ''}; "
            for each in signature.columns
        )
        answer = "".join(
            f"{_quoted(each.name)}: {TS.get(each.type, 'string')}{'[]' * len(each.shape)}; "
            for each in signature.outputs
        )
        parts.append(f"  {_quoted(model.name)}: {{ row: {{ {row}}}; answer: {{ {answer}}} }};\n")
    return "".join([*parts, TAIL])


def _quoted(name: str) -> str:
    return json_text.dumps(name).decode()


HEAD = """\
// Types of the models in this folder, by their names.
export interface Models {
"""
TAIL = """\
}

export interface Model<Row, Answer> {
  name: string;
  version: number;
  signature: unknown;
  /** How many rows whose answers are known were answered here, equally. */
  rows: number;
  /** The native answer, one entry per row in each output. It throws Refused. */
  predict(instances: (Row | unknown[])[]): Promise<{ model: string; version: number } & Answer>;
}

/** A request that was refused: HTTP's status, and what is wrong, by row and column. */
export class Refused extends Error {
  status: number;
  problem: { detail: string; errors?: Problem[] };
}

export interface Problem {
  row: number | null;
  column: string | null;
  detail: string;
}

export function load<Name extends keyof Models & string>(
  model: Name | `models/${Name}`,
): Promise<Model<Models[Name]["row"], Models[Name]["answer"]>>;
"""
