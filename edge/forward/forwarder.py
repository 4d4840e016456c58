"""Store and forward as a whole: it observes predictions, keeps them, and has them sent."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from onnxlet.edge.forward.monitor import QueueMonitor
from onnxlet.edge.forward.queue import Queue, Totals
from onnxlet.edge.forward.records import Clock, form_of, record, this_boot
from onnxlet.edge.forward.sender import Sender, Transport
from onnxlet.edge.settings.device import ForwardOptions, Inputs, checked_link
from onnxlet.edge.store.database import drop_privileges_to_owner
from onnxlet.edge.store.writer import DISK_TIMEOUT_SECONDS, Writer
from onnxlet.function import request_log
from onnxlet.function.messages import Prediction

MEGABYTE = 1_000_000
DAY_SECONDS = 86_400
GATHER_SECONDS = 1.0  # between commits, where answers don't wait for their records
SHARE = 8  # a record has at most this fraction of the queue's size


class Figures(NamedTuple):
    """The queue's state, for `/metrics`."""

    totals: Totals | None  # of the database, some seconds old; None if it can't be read at present
    lost: Mapping[str, int]  # records that this process could not keep, by reason
    late: int  # answers that were sent before their record was on the disk
    keeping: bool  # the disk accepts records


class Forwarder:
    """Keeps predictions, and sends them by a transport.

    Logs when either fails, and when it works again.
    """

    def __init__(
        self,
        options: ForwardOptions,
        transport: Transport,
        clock: Clock,
        log: request_log.Log = request_log.write,
    ) -> None:
        self._options = options
        self._clock = clock  # of this boot of the machine
        self._open = partial(open_queue, options, clock)
        self._monitor = QueueMonitor(options.queue, clock, hashes=options.inputs == "hash")
        largest = options.max_mb * MEGABYTE // SHARE
        gather = 0.0 if options.durable else GATHER_SECONDS
        self._writer = Writer(
            options.queue, self._open, largest=largest, gather_seconds=gather, log=log
        )
        lock = options.queue.with_name(options.queue.name + ".sending")
        self._sender = Sender(self._open, transport, lock, options.seconds, log)

    def start(self) -> None:
        """Start three threads: to write, to send, and to read totals."""
        self._writer.start()
        self._sender.start()
        self._monitor.start()

    def stop(self) -> None:
        """Write what is in memory, and end."""
        self._monitor.stop()
        self._writer.stop()
        self._sender.stop()

    def observe(self, prediction: Prediction, again: bool = False) -> None:
        """Keep a prediction. Never raises: a failure here must not fail the answer.

        `again`: unless one of the same request is kept, since MQTT may repeat requests.
        """
        try:
            form = form_of(prediction, *self._wanted())
            kept = record("prediction", prediction.request_id, form, self._clock, again)
            self._writer.keep(kept, wait=self._options.durable)
        except Exception as error:
            self._writer.lost["failed"] += 1
            request_log.fail(error, request_id=prediction.request_id)

    def keep_truth(self, truths: Sequence[Mapping[str, Any]], key: str = "") -> bool:
        """Keep the ground truth of a key's predictions; False if the disk does not accept it."""
        truths = [{**each, "key": key} for each in truths] if key else truths
        kept = record("truth", str(truths[0]["id"]), truths, self._clock)
        return self._writer.keep(kept, wait=True, strict=True)

    def figures(self) -> Figures:
        """The state at this moment; does not wait for the disk."""
        writer = self._writer
        totals = self._monitor.totals()
        return Figures(totals, dict(writer.lost), writer.late, not writer.is_unavailable)

    def _wanted(self) -> tuple[Inputs, bytes]:
        """What is kept of the rows, and the hashes' key; none of the rows until there is a key."""
        if self._options.inputs != "hash":
            return self._options.inputs, b""
        if not (self._monitor.secret or self._writer.is_unavailable):
            self._monitor.tried.wait(DISK_TIMEOUT_SECONDS)
            self._monitor.tried.set()  # if the disk hangs, one answer's wait is enough
        secret = self._monitor.secret
        return ("hash" if secret else "none"), secret


def open_queue(options: ForwardOptions, clock: Clock | None = None) -> Queue:
    """Open the configured database; sqlite3.Error and OSError say why it can't be."""
    clock = clock or Clock(this_boot())
    return Queue(options.queue, clock, options.max_mb * MEGABYTE, options.max_days * DAY_SECONDS)


def start(options: ForwardOptions) -> Forwarder:
    """Keep and send predictions until the process ends; root becomes the queue's owner first.

    SettingsError is raised where the CA certificates can't be read, or the URL has no address.
    """
    with checked_link("FORWARD", options, "receiver"):
        transport = _transport(options)
    drop_privileges_to_owner(options.queue)
    forward = Forwarder(options, transport, Clock(this_boot()))
    forward.start()
    atexit.register(forward.stop)
    return forward


def _transport(options: ForwardOptions) -> Transport:
    if options.url.startswith("mqtt"):
        from onnxlet.edge.forward import mqtt  # paho takes 40 ms of the start

        return mqtt.transport(options)
    from onnxlet.edge.forward import https

    return https.transport(options)
