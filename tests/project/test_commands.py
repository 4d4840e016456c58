"""What ends a command: errors of ours, and those of the machine that a user can do about."""

from __future__ import annotations

import errno
import os

import pytest
from click.testing import CliRunner, Result

from onnxlet.commands import Command


def ended(error: BaseException, *arguments: str) -> Result:
    def fail() -> None:
        raise error

    return CliRunner().invoke(Command("do", callback=fail, example="do"), [*arguments])


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "The disk is full: free some of it, or write elsewhere."),
        (errno.EROFS, "Write elsewhere, or as a user that may write there."),
        (errno.EACCES, "Let this user read or write it, or name another path."),
        (errno.ENAMETOOLONG, "Use a shorter path."),
        (errno.ELOOP, "The links on this path lead to each other: name another path."),
        (errno.ENOENT, "It is not there, and can't be made there: name another path."),
        (errno.EEXIST, "Something else is there by this name: name another path."),
        (errno.ENOTDIR, "A part of this path is a file: name another path."),
        (errno.EISDIR, "This is a folder: name a file."),
    ],
)
def test_a_full_disk_is_reported_without_a_traceback(number: int, hint: str) -> None:
    end = ended(OSError(number, os.strerror(number), "a.zip"))

    assert (end.exit_code, end.stdout) == (1, "")
    told = f"error: [Errno {number}] {os.strerror(number)}: 'a.zip'\nhint: {hint}\n"
    assert end.stderr == told
    assert "Traceback" in ended(OSError(number, "full"), "--debug").stderr


def test_other_errors_of_the_machine_keep_their_traceback() -> None:
    broken = OSError(errno.EBADF, "Bad file descriptor")
    assert ended(broken).exception is broken
