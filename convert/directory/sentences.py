"""A summary's manifest and golden rows: what clients see, behind the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxlet.convert.estimators.summary import Summary
from onnxlet.function.outputs.sentences import described

TYPES = {"prediction": "string", "positions": "int64", "score": "float64"}
NO_EXPLANATIONS = "a summary has no explanations: its sentences and their scores are beside it"


def with_sentences(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The serving part of a manifest whose predictions are sentences, no longer positions."""
    [column] = manifest["graph"]["inputs"][0]["columns"]
    outputs = [
        {"name": output["name"], "type": TYPES[output["name"]], "shape": [-1, -1]}
        for output in manifest["signature"]["outputs"]
    ]
    return {
        **manifest,
        "signature": {**manifest["signature"], "outputs": outputs},
        "graph": {**manifest["graph"], "back_end": described(column)},
    }


def golden_sentences(golden: Mapping[str, Any], fitted: Summary) -> dict[str, Any]:
    """Golden rows with the sentences themselves, and nothing where a document has fewer.

    The rows were chosen without regard to scores, which short documents lack.
    """
    documents = [row[0] for row in golden["instances"]]
    scores = fitted.sentence_scores(documents) if documents else np.zeros((0, 1))
    positions = golden["answers"]["positions"]
    answers = {
        "prediction": fitted.predict(documents) if documents else [],
        "positions": [[at for at in row if at >= 0] for row in positions],
        "score": [row[~np.isnan(row)].tolist() for row in scores],
    }
    return {**golden, "answers": {name: answers[name] for name in golden["answers"] | answers}}
