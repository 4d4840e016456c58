"""Start store and forward where it is set; a server without it does not import the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxlet.edge.settings.forward import ForwardOptions

if TYPE_CHECKING:
    from onnxlet.edge.forward.forwarder import Forwarder


def start_forwarding(options: ForwardOptions) -> Forwarder | None:
    """Keep and send predictions until the process ends; None if no URL is set.

    Raises:
        SettingsError: the CA certificates can't be read, or the URL has no address.
    """
    if not options.url:
        return None
    from onnxlet.edge.forward import forwarder  # slow to import

    return forwarder.start(options)
