"""Where this package lies: beside the three folders in a checkout, in a bundle, or installed."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # a checkout, a bundle's slot, or the environment's packages
