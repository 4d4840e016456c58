"""`python -m onnxlet`: the command that is installed as `onnxlet`."""

import sys
from pathlib import Path

from onnxlet.folders import ROOT

# As the installed command does, import nothing from where it happens to be called.
if Path(sys.path[0]) == Path.cwd() != ROOT:
    del sys.path[0]

from onnxlet.command_line import main

main()
