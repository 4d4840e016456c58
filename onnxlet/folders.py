"""Where this package lies: beside the three folders in a checkout, in a bundle, or installed.

And its version: what others of its modules name it by.
"""

from pathlib import Path

VERSION = "0.1.0"
PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # a checkout, a bundle's slot, or the environment's packages
CHECKOUT = (ROOT / "Makefile").exists()
PYTHON = ROOT / ".venv" / "bin" / "python"  # of a checkout that is set up; it finds `onnxlet`


def documented(document: str, otherwise: str = "") -> str:
    """A hint that names a document, for readers in a checkout, who have it; or another hint."""
    return document if CHECKOUT else otherwise


def typed(side: str, command: str) -> str:
    """A command with its arguments as its reader types it; in a checkout it is of a `side`."""
    if not CHECKOUT:
        return f"onnxlet {command}"
    return f".venv/bin/python -m {side} {command}" if in_root() else f"python -m onnxlet {command}"


def in_root() -> bool:
    """Whether the working directory is the checkout, whose folders `-m` finds there only."""
    try:
        return Path().samefile(ROOT)
    except OSError:  # it is gone
        return False
