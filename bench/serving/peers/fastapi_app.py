"""FastAPI, uvicorn and ONNX Runtime, as a thorough tutorial would have it.

A pydantic model for the body, orjson for the answer, and a coroutine, since one row's prediction
takes less than handing it to a thread.
"""

import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    os.environ["BENCH_ONNX"], options, providers=["CPUExecutionProvider"]
)
[tensor] = session.get_inputs()
DTYPE = np.float64 if "double" in tensor.type else np.float32
app = FastAPI()


class Request(BaseModel):
    """Rows of numbers."""

    instances: list[list[float]]


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Answer labels and probabilities."""
    rows = np.asarray(request.instances, dtype=DTYPE)
    labels, probabilities = session.run(None, {tensor.name: rows})[:2]
    answer = {"prediction": labels, "probabilities": probabilities}
    body = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")
