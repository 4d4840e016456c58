"""One deployment at a time from a checkout: osls keeps the state of one, of whatever stage."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from tools.deploy.bundle import ROOT
from tools.deploy.errors import DeployFailed


@contextmanager
def alone() -> Iterator[None]:
    """Until this ends no other deployment or removal begins here; DeployFailed where one has."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "deploy.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DeployFailed(
                f"another deployment or removal is under way in {ROOT}",
                "Try again when it is over, or from another checkout.",
            ) from error
        yield
