"""The textbook way, as the baseline: Flask, pickle and scikit-learn, its missing tolist() fixed.

Run with the pickle's path and a port.
"""

import pickle
import sys
from pathlib import Path

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
model = pickle.loads(Path(sys.argv[1]).read_bytes())


@app.post("/predict")
def predict() -> ResponseReturnValue:
    """Answer `{"instances": [...]}`."""
    return jsonify({"prediction": model.predict(request.get_json()["instances"]).tolist()})


if __name__ == "__main__":
    app.run(port=int(sys.argv[2]))
