"""Start keeping answers where it is set; a server without it does not import the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.edge.settings.forward import ForwardOptions
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.edge.keep.keeper import Keeper

FILE = "kept.db"  # beside the queue of predictions that are forwarded


def start_keeping(settings: Settings, forward: ForwardOptions) -> Keeper | None:
    """Keep answers until the process ends; None if neither this nor forwarding is set.

    Raises:
        SettingsError: the database can't be where it is set to be.
    """
    path = settings.keep or (forward.queue.with_name(FILE) if forward.url else None)
    if path is None:
        return None
    from onnxlet.edge.keep import keeper  # slow to import

    return keeper.start(path, settings.keep_mb, settings.keep_days, named=settings.keep is not None)
