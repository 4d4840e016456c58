"""Store and forward in one piece: what listens to predictions, keeps them, and has them sent."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from onnxlet.edge.device.owner import become_owner
from onnxlet.edge.forward.delivery_outcome import Transport
from onnxlet.edge.forward.gauging import Gauge
from onnxlet.edge.forward.queue import Queue, Totals
from onnxlet.edge.forward.records import Clock, form_of, record, this_boot
from onnxlet.edge.forward.sending import Sender
from onnxlet.edge.forward.writing import PATIENCE_SECONDS, Writer
from onnxlet.edge.settings.forward import ForwardOptions, Inputs
from onnxlet.function import request_log
from onnxlet.function.errors import SettingsError
from onnxlet.function.messages import Prediction

MEGABYTE = 1_000_000
DAY_SECONDS = 86_400
GATHER_SECONDS = 1.0  # where answers don't wait for their records
SHARE = 8  # a record has at most this part of the room


class Figures(NamedTuple):
    """How the queue is, for `/metrics`.

    Attributes:
        totals: of the database, some seconds ago; None where it can't be read just now.
        lost: records that this process could not keep, by reason.
        late: answers that went out before their record was on the disk.
        keeping: the disk takes records.
    """

    totals: Totals | None
    lost: Mapping[str, int]
    late: int
    keeping: bool


class Forward:
    """Keeps predictions, and sends them.

    Args:
        options: as they are set.
        transport: sends a batch.
        clock: of this start of the machine.
        log: told what goes wrong.
    """

    def __init__(
        self,
        options: ForwardOptions,
        transport: Transport,
        clock: Clock,
        log: request_log.Log = request_log.write,
    ) -> None:
        self._options = options
        self._clock = clock
        self._open = partial(open_queue, options, clock)
        self._gauge = Gauge(options.queue, clock, hashes=options.inputs == "hash")
        largest = options.max_mb * MEGABYTE // SHARE
        gather = 0.0 if options.durable else GATHER_SECONDS
        self._writer = Writer(
            options.queue, self._open, largest=largest, gather_seconds=gather, log=log
        )
        lock = options.queue.with_name(options.queue.name + ".sending")
        self._sender = Sender(self._open, transport, lock, options.seconds, log)

    def start(self) -> None:
        """Begin, with three threads."""
        self._writer.start()
        self._sender.start()
        self._gauge.start()

    def stop(self) -> None:
        """Write what there is, and end."""
        self._gauge.stop()
        self._writer.stop()
        self._sender.stop()

    def observe(self, prediction: Prediction) -> None:
        """Keep a prediction; whatever happens here, it is answered."""
        self._observe(prediction, again=False)

    def observe_again(self, prediction: Prediction) -> None:
        """Keep a prediction whose request may have been answered before, once."""
        self._observe(prediction, again=True)

    def keep_truth(self, truths: Sequence[Mapping[str, Any]]) -> bool:
        """Keep what came of predictions; False where the disk does not take it."""
        kept = record("truth", str(truths[0]["id"]), truths, self._clock)
        return self._writer.keep(kept, wait=True, strict=True)

    def figures(self) -> Figures:
        """Figures of this moment; nothing here waits for the disk."""
        writer = self._writer
        totals = self._gauge.totals()
        return Figures(totals, dict(writer.lost), writer.late, not writer.is_away)

    def _observe(self, prediction: Prediction, again: bool) -> None:
        try:
            form = form_of(prediction, *self._wanted())
            kept = record("prediction", prediction.request_id, form, self._clock, again)
            self._writer.keep(kept, wait=self._options.durable)
        except Exception as error:
            self._writer.lost["failed"] += 1
            request_log.fail(error, request_id=prediction.request_id)

    def _wanted(self) -> tuple[Inputs, bytes]:
        """What is kept of the rows, and the hashes' key; nothing as long as the disk has no key."""
        if self._options.inputs != "hash":
            return self._options.inputs, b""
        if not (self._gauge.secret or self._writer.is_away):
            self._gauge.looked.wait(PATIENCE_SECONDS)
            self._gauge.looked.set()  # where it hangs, once is enough
        secret = self._gauge.secret
        return ("hash" if secret else "none"), secret


def open_queue(options: ForwardOptions, clock: Clock | None = None) -> Queue:
    """Open the database that is set.

    Raises:
        sqlite3.Error, OSError: it can't be opened or written to.
    """
    clock = clock or Clock(this_boot())
    return Queue(options.queue, clock, options.max_mb * MEGABYTE, options.max_days * DAY_SECONDS)


def start(options: ForwardOptions) -> Forward:
    """Keep and send from now on, until the process ends; where that is root's, as the owner.

    Raises:
        SettingsError: the certificates of the other side can't be read, or it has no address.
    """
    try:
        transport = _transport(options)
    except OSError as error:
        raise SettingsError(
            f"ONNXLET_DEVICE_FORWARD_CA: {options.ca} can't be read: {error}",
            "It has the certificates that the other side's is signed by, in PEM.",
        ) from error
    except ValueError as error:
        raise SettingsError(f"ONNXLET_DEVICE_FORWARD_URL: {options.url}: {error}") from error
    become_owner(options.queue)
    forward = Forward(options, transport, Clock(this_boot()))
    forward.start()
    atexit.register(forward.stop)
    return forward


def _transport(options: ForwardOptions) -> Transport:
    if options.url.startswith("mqtt"):
        from onnxlet.edge.forward import topic  # paho takes 40 ms of the start

        return topic.transport(options)
    from onnxlet.edge.forward import https

    return https.transport(options)
