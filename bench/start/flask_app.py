"""The same through a plain Flask app without any of this project, for comparison."""

import json
import sys

import numpy as np
import onnxruntime
import serverless_wsgi
from flask import Flask, request

app = Flask(__name__)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])


@app.post("/predict")
def predict() -> str:
    """Answer `{"instances": [...]}`."""
    rows = np.asarray(json.loads(request.get_data())["instances"], dtype=np.float64)
    label = session.run(None, {session.get_inputs()[0].name: rows})[0]
    return json.dumps({"prediction": label.tolist()})


event = json.load(sys.stdin)
assert serverless_wsgi.handle_request(app, event, None)["statusCode"] == 200
