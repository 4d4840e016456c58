"""Start what keeps predictions on the disk, where it is set; others do not import the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.edge.forward.forwarder import Forwarder
    from onnxlet.edge.predictions.prediction_store import PredictionStore

FILE = "kept.db"  # beside the queue of predictions that are forwarded


def start_forwarding(options: ForwardOptions) -> Forwarder | None:
    """Keep and send predictions until the process ends; None if no URL is set.

    SettingsError is raised where the CA certificates can't be read, or the URL has no address.
    """
    if not options.url:
        return None
    from onnxlet.edge.forward import forwarder  # slow to import

    return forwarder.start(options)


def start_keeping(settings: Settings, forward: ForwardOptions) -> PredictionStore | None:
    """Keep answers until the process ends; None if neither this nor forwarding is set.

    SettingsError is raised where the database can't be where it is set to be.
    """
    path = settings.keep or (forward.queue.with_name(FILE) if forward.url else None)
    if path is None:
        return None
    from onnxlet.edge.predictions import prediction_store  # slow to import

    return prediction_store.start(
        path, settings.keep_mb, settings.keep_days, named=settings.keep is not None
    )
