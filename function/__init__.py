"""What is deployed: the Flask app that serves model directories, and its Lambda handler."""

import os

__version__ = "0.1.0"

# NumPy only moves data here. One thread less to start at import for every core there is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# ONNX Runtime would keep an id of this machine in the home, and tell Microsoft what it does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
