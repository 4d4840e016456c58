"""What stops an update. Nothing that serves has changed then, or it has been put back.

OnnxletError (onnxlet.function.errors)
├── WrongUse      exit code 2: the command can't be carried out as it was given
├── Unreachable   exit code 1: what was asked for can't be fetched, now
├── Failed        exit code 1: this device can't do it, now: its card is full, or fails
│   └── Killed    exit code 1: so is a proof that the system ends, as where memory is short
└── Refused       exit code 1: it was fetched, and is not to be trusted or does not work
"""

from __future__ import annotations

from onnxlet.function.errors import OnnxletError

# What reading JSON of another form raises, be it nested as deeply as a stranger likes.
BROKEN = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class WrongUse(OnnxletError):
    """The command names something that is not there, or not of the form it needs."""

    exit_code = 2


class Unreachable(OnnxletError):
    """The source does not answer, or does not have it."""


class Failed(OnnxletError):
    """This device can't do it as it is: the card is full or fails, another update runs."""


class Killed(Failed):
    """What proves it was killed: it may have been too large, or everything else was."""


class Refused(OnnxletError):
    """The update is not one that this device may take, or it fails here."""
