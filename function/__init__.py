"""What is deployed: the Flask app that serves model directories, and its Lambda handler."""

import os
import sys

__version__ = "0.1.0"

# NumPy only moves data here. One thread less to start at import for every core there is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Its products, which explanations add up by, would differ in last digits from one Arm processor to
# another: each has sums in an order of its own.
if sys.platform == "linux" and os.uname().machine == "aarch64":
    os.environ.setdefault("OPENBLAS_CORETYPE", "ARMV8")
# ONNX Runtime would keep an id of this machine in the home, and tell Microsoft what it does.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
