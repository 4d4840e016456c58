"""`python -m edge` in a checkout: the command line below `onnxlet`."""

from onnxlet.edge.command_line import main
from onnxlet.function.command_line import run

run(main, "python -m edge")
