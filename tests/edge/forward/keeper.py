"""Keeps records and sends them, and reports each that is kept: a process made to be killed.

It forks for each round, so that being killed two hundred times takes seconds: a round goes on in
whatever the round before has left.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid
from pathlib import Path

from onnxlet.edge.forward import forwarder, https, records, sender
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.forward.sender import DeliveryResult, Transport
from onnxlet.edge.settings.device import ForwardOptions

FAST_SECONDS = 0.01


def transport(send: Transport, fault: str) -> Transport:
    """The real one, or one with a fault that the test has to find."""

    def forgets_at_once(batch: Batch) -> DeliveryResult:
        send(batch)
        return DeliveryResult("arrived")

    def has_other_keys(batch: Batch) -> DeliveryResult:
        return send(batch._replace(key=uuid.uuid4().hex))

    return {"forgets at once": forgets_at_once, "other keys": has_other_keys}.get(fault, send)


def keep(options: ForwardOptions, fault: str, first: int) -> None:
    send = transport(https.transport(options), fault)
    clock = records.Clock(records.this_boot())
    forward = forwarder.Forwarder(options, send, clock, log=lambda entry: None)
    forward.start()
    early = fault == "says so too early"
    for number in range(first, first + 10_000):
        record = records.record("truth", f"r{number}", [number], clock)
        if forward._writer.keep(record, wait=not early) or early:
            os.write(1, f"{number}\n".encode())
    signal.pause()


def main() -> None:
    path, url, ca, fault = sys.argv[1:]
    https.TIMEOUT_SECONDS = 0.2
    sender.FIRST_SECONDS = sender.LONGEST_SECONDS = FAST_SECONDS
    forwarder.GATHER_SECONDS = 0.05
    options = ForwardOptions(
        url, ca=Path(ca), queue=Path(path), seconds=FAST_SECONDS,
        durable=fault != "says so too early",
    )  # fmt: skip
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            keep(options, fault, int(line))
        os.write(1, f"pid {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main()
