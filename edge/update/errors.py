"""Errors of updates. What is served has not changed then, or has been restored.

OnnxletError (onnxlet.function.errors)
├── WrongUse      exit code 2: the command's arguments are invalid
├── Unreachable   exit code 1: the source can't be fetched from at present
├── Failed        exit code 1: this device can't do it at present: its disk is full, or fails
│   └── Killed    exit code 1: the system killed a check, as it does where memory is short
└── Refused       exit code 1: what was fetched is not to be trusted, or does not work
"""

from __future__ import annotations

from onnxlet.function.errors import OnnxletError

# What reading untrusted JSON of another form raises; RecursionError is of deep nesting.
BROKEN = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Unreachable(OnnxletError):
    """The source does not answer, or lacks the file."""


class Failed(OnnxletError):
    """This device can't do it at present: its disk is full or fails, or another update runs."""


class Killed(Failed):
    """The system killed a check; the release or something else took too much memory."""


class Refused(OnnxletError):
    """This device may not take the update, or the update fails here."""
