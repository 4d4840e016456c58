"""Other processes that serve the same models, and switch to others together with this one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from onnxlet.function.models.folder_scan import Key, Stamp


class Refusal(NamedTuple):
    """A version that is not served.

    Attributes:
        key: its model and number.
        stamp: of its files.
        why: as the log has it.
    """

    key: Key
    stamp: Stamp
    why: str


class Peers(Protocol):
    """The other processes that serve the same folders.

    Attributes:
        described: what all have agreed on last; None before that.
    """

    described: bytes | None

    def propose(self, described: bytes) -> None:
        """Say what this process would serve; once all say the same, it calls `agree` of each."""

    def refused(self) -> Iterable[Refusal]:
        """What the others have refused."""

    def leads(self) -> bool:
        """Whether this is the one of them that logs what all of them do."""
