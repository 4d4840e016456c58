"""Runs `edge` in a process that can be broken on purpose: `python -m tests.edge.update.cut_off`.

The first argument says how, the others are the command's.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnxlet.edge.command_line import main
from onnxlet.edge.device.slots import idle_slot, switch
from onnxlet.edge.update import unpack, update
from onnxlet.edge.update.find import CandidateRelease
from onnxlet.edge.update.history import History
from onnxlet.edge.update.setup import Setup

CHANGES = ("rename", "replace", "symlink", "unlink", "rmdir", "mkdir", "fsync", "sync")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(change: int) -> None:
    """Before the so-manieth change to what is on the card."""
    left = [change]

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                die()
            return original(*arguments, **more)

        return call

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))


def die_while_unpacking() -> None:
    """In the middle of a file."""
    original, left = unpack._write, [60]

    def write(archive: Any, entry: Any, target: Path, offer: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            target.write_bytes(b"half of it")
            die()
        original(archive, entry, target, offer)

    unpack._write = write


def switch_first() -> None:
    """The mistake that the order of an update is there against."""

    def take(setup: Setup, history: History, found: CandidateRelease) -> History:
        archive, slot = update._fetch(setup, found), idle_slot(setup.paths)
        shutil.rmtree(setup.paths.slot(slot), ignore_errors=True)
        setup.paths.slot(slot).mkdir()
        switch(setup.paths, slot)
        setup.paths.slot(slot).rmdir()
        unpack.check_and_unpack(archive, setup.paths.slot(slot), found.offer)
        return history

    update._take = take


if __name__ == "__main__":
    how = sys.argv.pop(1)
    if how == "switch-first":
        switch_first()
    if how in ("switch-first", "unpacking"):
        die_while_unpacking()
    elif how.isdecimal():
        die_at(int(how))
    main(prog_name="edge")
