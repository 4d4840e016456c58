"""Store and forward: every prediction is kept on the device until somebody else has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.edge.settings.forward import ForwardOptions

if TYPE_CHECKING:
    from onnxlet.edge.forward.observing import Forward


def start(options: ForwardOptions) -> Forward | None:
    """Keep and send from now on, until the process ends; None where it is not switched on.

    Raises:
        SettingsError: the certificates of the other side can't be read.
    """
    if not options.url:
        return None
    from onnxlet.edge.forward import observing  # a server that keeps nothing starts without it

    return observing.start(options)
