"""The settings of store and forward. docs/how-to/forward.md has the same table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, cast

# Reads a variable: its name behind the prefix, a pattern, and what to expect in words.
Get = Callable[[str, str, str], str]
Inputs = Literal["none", "hash", "all"]

QUEUE = Path("/var/lib/onnxlet/state/queue.db")
PORT = "(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}))?"
HOST = rf"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]){PORT}"
LOOPBACK = rf"(localhost|127(\.[0-9]{{1,3}}){{3}}|\[::1\]){PORT}"
PATH, TOPIC = '(/[!-"$-~]*)?', r"/[^\s#+]+"
URL = (
    rf"https://{HOST}{PATH}|mqtts://{HOST}{TOPIC}|http://{LOOPBACK}{PATH}|mqtt://{LOOPBACK}{TOPIC}"
)


class ForwardOptions(NamedTuple):
    """The settings of store and forward.

    Attributes:
        url: of the receiver; empty means that nothing is kept and nothing sent.
        key: sent as a bearer token, or as MQTT's password.
        user: MQTT's user name.
        ca: file of the CA certificates that sign the receiver's; None means the system's.
        inputs: what is kept of the rows beside the answers.
        max_mb: megabytes (of 1,000,000 bytes) that the queue may take on the disk.
        max_days: that a record is kept, counting days on which the device was on.
        durable: an answer is sent only once its record is on the disk.
        seconds: between two rounds of sending.
        queue: the database's path.
    """

    url: str = ""
    key: str = ""
    user: str = ""
    ca: Path | None = None
    inputs: Inputs = "none"
    max_mb: int = 100
    max_days: int = 30
    durable: bool = True
    seconds: float = 10
    queue: Path = QUEUE


NO_FORWARDING = ForwardOptions()


def read_forward_options(get: Get) -> ForwardOptions:
    """Read the variables, by a function that notes their faults."""
    no = NO_FORWARDING
    whole = "[1-9][0-9]{0,5}"
    ca = get("FORWARD_CA", "/.+", "an absolute path")
    return ForwardOptions(
        url=get(
            "FORWARD_URL",
            URL,
            "https://HOST/PATH or mqtts://HOST/TOPIC (without TLS only to this machine)",
        ),
        key=get("FORWARD_KEY", ".+", "one line"),
        user=get("FORWARD_USER", r"[^\s:]+", "a name"),
        ca=Path(ca) if ca else None,
        inputs=cast(Inputs, get("FORWARD_INPUTS", "none|hash|all", "none, hash or all") or "none"),
        max_mb=int(get("FORWARD_MAX_MB", whole, "a whole number of at least 1") or no.max_mb),
        max_days=int(get("FORWARD_MAX_DAYS", whole, "a whole number of at least 1") or no.max_days),
        durable=get("FORWARD_DURABLE", "yes|no", "yes or no") != "no",
        seconds=int(get("FORWARD_SECONDS", whole, "a whole number of at least 1") or no.seconds),
        queue=Path(get("QUEUE", "/.+", "an absolute path") or QUEUE),
    )
