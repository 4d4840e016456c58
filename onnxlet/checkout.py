"""Starting `python -m convert` and `python -m edge`; what is imported here is in every Python."""

import sys
from importlib import import_module

from onnxlet.folders import CHECKOUT, PACKAGE

LINKS = ("function", "convert", "edge", "requirements")


def start(side: str) -> None:
    """Run the command line of `convert` or `edge`; ends the process."""
    _check_links()
    try:
        # The side first: it reports the packages that are missing.
        group = import_module(f"onnxlet.{side}.command_line").main
        run = import_module("onnxlet.commands").run
    except KeyboardInterrupt:  # once the command line runs, click does the same
        sys.exit("\nAborted!")
    run(group, f"python -m {side}")


def _check_links() -> None:
    """Some archives and some systems keep no links; all is imported through them."""
    for link in LINKS if CHECKOUT else ():
        path = PACKAGE / link
        if not path.is_dir():
            got = "a file" if path.is_file() else "none"
            sys.exit(
                f"error: onnxlet/{link}: expected a link to ../{link}, got {got}\n"
                "hint: git checkout onnxlet, or make setup, restores it."
            )
