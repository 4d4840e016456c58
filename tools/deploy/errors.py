"""What stops a deployment.

OnnxletError (onnxlet.function.errors)
├── NotReady      exit code 1: something is missing, all of it reported together; nothing was done
├── WrongOptions  exit code 2: an option has a value that it can't have; nothing was done
└── DeployFailed  exit code 1: AWS, osls or the proof says no; `live` is where it was
"""

from __future__ import annotations

from collections.abc import Sequence

from onnxlet.function.errors import OnnxletError


class NotReady(OnnxletError):
    """Something that a deployment needs is missing."""

    def __init__(self, faults: Sequence[str], hint: str = "") -> None:
        self.faults = tuple(faults)  # all of it, each one with what to do
        what = "1 thing is" if len(faults) == 1 else f"{len(faults)} things are"
        super().__init__("\n  ".join([f"{what} missing or wrong", *faults]), hint)


class WrongOptions(NotReady):
    """An option has a value that it can't have."""

    exit_code = 2


class DeployFailed(OnnxletError):
    """A step did not work; what was served is still served."""
