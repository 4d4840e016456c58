"""The floor of a cold start: NumPy, ONNX Runtime, one session, one run."""

import numpy as np
import onnxruntime

SESSION = onnxruntime.InferenceSession(
    "/var/task/models/logistic/1/model.onnx", providers=["CPUExecutionProvider"]
)
NAME = SESSION.get_inputs()[0].name


def handler(event: object, context: object) -> dict[str, object]:
    """Run once."""
    SESSION.run(None, {NAME: np.zeros((1, 30), dtype=np.float64)})
    return {}
