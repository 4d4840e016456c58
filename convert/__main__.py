"""`python -m convert` in a checkout: the command line below `onnxlet`."""

import sys
from pathlib import Path

try:
    from onnxlet.checkout import start
except ModuleNotFoundError as error:
    if error.name != "onnxlet":
        raise
    root = Path(__file__).resolve().parents[1]
    sys.stderr.write(f"error: expected to run in {root}, got {Path.cwd()}\nhint: cd '{root}'\n")
    sys.exit(2)

start("convert")
