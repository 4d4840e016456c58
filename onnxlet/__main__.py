"""`python -m onnxlet`: the command that is installed as `onnxlet`."""

from onnxlet.command_line import main

main()
