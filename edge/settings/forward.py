"""What can be set of store and forward. docs/forward.md has the same table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, cast

Get = Callable[[str, str, str], str]  # a variable's end, its pattern, what is expected
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
    """Store and forward, as it is set.

    Attributes:
        url: where to; empty means that nothing is kept and nothing sent.
        key: sent as a bearer token, or as MQTT's password.
        user: MQTT's user name.
        ca: certificates that the other side's is signed by; None means the system's.
        inputs: what of the rows is kept beside the answers.
        max_mb: megabytes (of 1,000,000 bytes) that the queue may take on the disk.
        max_days: that a record is kept, in days for which the device was on.
        durable: an answer is sent once its record is on the disk.
        seconds: between two rounds of sending.
        queue: the database.
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


NOT_FORWARDED = ForwardOptions()


def forwarding(get: Get) -> ForwardOptions:
    """Read the variables, by a reader that notes what is wrong with them."""
    no = NOT_FORWARDED
    whole = "[1-9][0-9]{0,5}"
    ca = get("FORWARD_CA", "/.+", "an absolute path")
    return ForwardOptions(
        url=get(
            "FORWARD_URL",
            URL,
            "https://HOST/PATH or mqtts://HOST/TOPIC (without TLS to this machine alone)",
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
