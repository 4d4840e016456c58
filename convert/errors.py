"""What stops a command on the laptop side.

OnnxletError (onnxlet.function.errors)
├── WrongUse (there, too)  exit code 2: the command can't be carried out as it was given
├── SourceFailed  exit code 1: what holds the estimator raises, or can't be read
├── Refusal       exit code 1: the model can't be served faithfully, and why
│   └── BreakingChange  it could be, and clients of the version before could not go on
└── PackagingFailed  exit code 1: the bundle can't be made, or is too large
"""

from __future__ import annotations

from onnxlet.function.errors import OnnxletError

REASON_LENGTH = 200  # characters of another library's message


class SourceFailed(OnnxletError):
    """The SOURCE is there, and running or reading it raised."""


class Refusal(OnnxletError):
    """No conversion of this model answers as scikit-learn does; nothing was written."""


class BreakingChange(Refusal):
    """Clients of the version that is served could not go on with this one."""


class PackagingFailed(OnnxletError):
    """The bundle can't be made as it was asked for; nothing was written."""


def printable(text: str) -> str:
    """What a stranger named or said, without characters that would steer a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def shortened(error: BaseException) -> str:
    """Another's message on one line, cut to `REASON_LENGTH`, and harmless to a terminal."""
    text = printable(" ".join(str(error).split()))
    return text if len(text) <= REASON_LENGTH else text[:REASON_LENGTH] + "…"
