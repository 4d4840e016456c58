"""A scikit-learn model becomes a small ONNX function behind one Flask handler."""

import os

__version__ = "0.1.0"

# ONNX Runtime would keep an id of this machine in the home, and report to Microsoft what it does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
