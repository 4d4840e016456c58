"""BentoML with ONNX Runtime: a service with one API, on one worker."""

import os
from typing import Any

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=1)
class Classifier:
    """Answers labels and probabilities."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["BENCH_ONNX"], options, providers=["CPUExecutionProvider"]
        )
        [self.tensor] = self.session.get_inputs()
        self.dtype = np.float64 if "double" in self.tensor.type else np.float32

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> dict[str, Any]:
        """Answer one request."""
        rows = np.asarray(instances, dtype=self.dtype)
        labels, probabilities = self.session.run(None, {self.tensor.name: rows})[:2]
        return {"prediction": labels.tolist(), "probabilities": probabilities.tolist()}
