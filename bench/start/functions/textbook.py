"""The textbook way: a pickle, and scikit-learn to read it."""

import json
import pickle
from pathlib import Path

MODEL = pickle.loads(Path("/var/task/model.pkl").read_bytes())


def handler(event: dict[str, str], context: object) -> dict[str, object]:
    """Answer `{"instances": [...]}`."""
    rows = json.loads(event["body"])["instances"]
    body = json.dumps({"prediction": MODEL.predict(rows).tolist()})
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}
