"""Process start to one answer with only NumPy and ONNX Runtime: the floor of a cold start."""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
session.run(None, {session.get_inputs()[0].name: np.zeros((1, 30), dtype=np.float64)})
