"""Where this package lies: beside the three folders in a checkout, in a bundle, or installed.

And its version: what others of its modules name it by.
"""

from pathlib import Path

VERSION = "0.1.0"
PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # a checkout, a bundle's slot, or the environment's packages
CHECKOUT = (ROOT / "Makefile").exists()


def documented(document: str, otherwise: str = "") -> str:
    """A hint that names a document, where its reader has the documents: in a checkout.

    Args:
        document: what is in it, such as "docs/how-to/mqtt.md lists the variables."
        otherwise: the hint elsewhere.
    """
    return document if CHECKOUT else otherwise


def typed(side: str, command: str) -> str:
    """A command as its reader types it, for messages.

    Args:
        side: whose command it is in a checkout, `convert` or `edge`.
        command: with its arguments.
    """
    return f".venv/bin/python -m {side} {command}" if CHECKOUT else f"onnxlet {command}"
