"""`python -m convert` in a checkout: the command line below `onnxlet`."""

from onnxlet.convert.command_line import main
from onnxlet.function.command_line import run

run(main, "python -m convert")
