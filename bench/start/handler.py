"""Process start to one answer through the Lambda handler; the event comes on standard input."""

import json
import sys

from onnxlet.function.handler import handler

assert handler(json.load(sys.stdin), None)["statusCode"] == 200
