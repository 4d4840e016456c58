"""A worker's process begins here: the supervisor runs this file with its own interpreter.

Its argument is JSON: `path`, where modules are found, and the numbers of inherited `files`.
"""

import gc
import json
import sys

gc.disable()  # until the server runs: a collection during imports would find nothing

handed = json.loads(sys.argv[1])
sys.path[:] = handed["path"]

import onnxlet.environment  # noqa: E402, F401 - before NumPy
from onnxlet.edge.processes.worker import work  # noqa: E402

sys.exit(work(**handed["files"]))
