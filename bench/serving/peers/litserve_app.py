"""LitServe with ONNX Runtime, as its documentation's first page has it: setup and predict."""

import os
import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime


class Classifier(litserve.LitAPI):
    """Answers labels and probabilities."""

    def setup(self, device: Any) -> None:
        """Load the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["BENCH_ONNX"], options, providers=["CPUExecutionProvider"]
        )
        [self.tensor] = self.session.get_inputs()
        self.dtype = np.float64 if "double" in self.tensor.type else np.float32

    def predict(self, request: Any) -> Any:
        """Answer one request."""
        rows = np.asarray(request["instances"], dtype=self.dtype)
        labels, probabilities = self.session.run(None, {self.tensor.name: rows})[:2]
        return {"prediction": labels.tolist(), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False
    )
