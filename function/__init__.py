"""What is deployed: the Flask app that serves model directories, and its Lambda handler."""

import os

__version__ = "0.1.0"

# NumPy only moves data here. One thread less to start at import for every core there is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
