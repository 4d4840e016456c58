"""A worker's process begins here: the supervisor runs this file with its own interpreter.

Its arguments are JSON, the numbers of inherited `files`, and behind it where modules are found.
"""

import sys

sys.path[:] = sys.argv[2:]  # before any import: PYTHONPATH may name where the server was called

import gc  # noqa: E402
import json  # noqa: E402

gc.disable()  # until the server runs: a collection during imports would find nothing

handed = json.loads(sys.argv[1])

import onnxlet.environment  # noqa: E402, F401 - before NumPy
from onnxlet.edge.workers.worker import work  # noqa: E402

sys.exit(work(**handed["files"]))
