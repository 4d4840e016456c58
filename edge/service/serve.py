"""The function as a server: one process, which ends when it is told to and nothing is in flight."""

from __future__ import annotations

import errno
import gc
import json
import os
import shlex
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxlet.edge.forward import starting
from onnxlet.edge.service.systemd import teller, watchdog_seconds
from onnxlet.edge.service.watchdog import Watchdog
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.function import request_log
from onnxlet.function.errors import OnnxletError
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from onnxlet.edge.server.connections import Wrap
    from onnxlet.edge.server.server import Server
    from onnxlet.edge.service.secret import Secret
    from onnxlet.edge.service.self_check import Asker
    from onnxlet.function.models.model import Model

ENDING = (signal.SIGTERM, signal.SIGINT)
NOT_HERE = errno.EADDRNOTAVAIL  # no address of this machine
THREADS = 4  # answers that are computed at once


class ServeError(OnnxletError):
    """The server can't start."""


def main() -> None:
    """`edge serve` without options, as the service's unit starts it: without a command line."""
    try:
        models = Settings.from_environ(os.environ).models
        serve(models, DeviceSettings.from_environ(os.environ))
    except OnnxletError as error:
        from onnxlet.function.command_line import tell  # its imports take 10 ms of a start

        tell(error)


def introduction(app: Any, url: str) -> list[str]:
    """What a started server prints: what it serves, and a call to paste, of the newest model."""
    from onnxlet.function.app import SERVICE
    from onnxlet.function.models.example import example_instance

    service = app.extensions[SERVICE]
    lines = [f"serving {', '.join(service.repository.names)} on {url}  (Ctrl-C ends it)"]
    key = " -H 'X-API-Key: KEY'" if service.settings.api_keys else ""
    model = max(service.repository.models, key=_built)
    if len(service.repository.names) > 1:
        lines.append(f"{url}/ in a browser, or GET {url}/models, says how each of them is asked")
    body = json.dumps({"instances": [example_instance(model)]}, ensure_ascii=False)
    path = f"{url}/models/{model.name}/predict"
    call = f"curl -s {path}{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return [*lines, "", call, ""]


def _built(model: Model) -> float:
    """When its version was written; the same for all that a bundle brought."""
    try:
        return (model.directory / "manifest.json").stat().st_mtime if model.directory else 0.0
    except OSError:  # gone since
        return 0.0


def _in_url(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told, not bound
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded, so that a port that is taken is told at once.

    Raises:
        ServeError: the address can't be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        of_host = isinstance(error, socket.gaierror) or getattr(error, "errno", 0) == NOT_HERE
        option = "--host" if of_host else "--port"
        raise ServeError(
            f"can't listen on {host} port {port}: {error}", f"Choose another with {option}."
        ) from error
    listener.listen(2048)
    return listener


def serve(models: Path, device: DeviceSettings) -> None:
    """Serve until a signal; SIGTERM and SIGINT finish what is in flight, a second one does not.

    Raises:
        ServeError: the address is taken, or whoever reaches it could ask.
        TlsError: the certificate or its key can't be used.
        OnnxletError: the settings or the models can't be used.
    """
    wrap = _tls(device)
    listener = listen(device.host, device.port)
    address = listener.getsockname()[0]
    settings = for_address(address, device.host, Settings.from_environ(os.environ))
    refuse_to_be_open(address, device, settings)
    gc.disable()  # as long as modules are imported
    from onnxlet.edge.service.app import make_app
    from onnxlet.edge.service.outlet import Outlet
    from onnxlet.edge.service.secret import Secret

    request_log.put = Outlet(request_log.STANDARD_ERROR).put
    secret, watchdog = Secret(), _watchdog()
    if "STATE_DIRECTORY" in os.environ:  # systemd's: this is a device's service
        secret.leave(Path(os.environ["STATE_DIRECTORY"]))
    log = watchdog.log if watchdog else request_log.write
    kept = starting.start(device.forward)
    app = make_app(models, secret=secret, log=log, forward=kept, settings=settings)
    gc.freeze()
    gc.enable()
    server = _server(app, listener, wrap)
    ending = _signals()
    running = threading.Thread(target=server.run, daemon=True)  # what fails below ends all of it
    running.start()
    if watchdog:
        watchdog.start(_asker(app, listener.getsockname(), wrap is not None, secret))
    with suppress(OSError):  # its output's disk is full, or nobody reads it
        _say_how_to_call(app, listener, wrap is not None)
    ending.recv(1)
    if watchdog:
        watchdog.stop()
    server.stop()
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    running.join()


def is_loopback(address: str) -> bool:
    """Only this machine reaches it."""
    return address.startswith("127.") or address == "::1"


def for_address(address: str, host: str, settings: Settings) -> Settings:
    """On loopback the names that are asked by are looked at.

    A page of any site can have its own name point at this machine, and would read what is here.

    Args:
        address: that is listened on.
        host: what it was said by: a device's updates ask by that.
        settings: have further names.
    """
    if is_loopback(address) or settings.hosts is not None:
        return replace(settings, hosts=(settings.hosts or frozenset()) | {host.lower()})
    return settings


def refuse_to_be_open(address: str, device: DeviceSettings, settings: Settings) -> None:
    """Beyond this machine a key is needed, or the word that none is.

    Args:
        address: that is listened on.
        device: says whether it is meant to be open.
        settings: have the keys.

    Raises:
        ServeError: neither is there.
    """
    if not (is_loopback(address) or device.open or settings.api_keys):
        raise ServeError(
            f"listening on {address}, others than this machine could ask, and no API key is set",
            "Set one: choose a KEY, and ONNXLET_API_KEYS=NAME:$(printf %s KEY | sha256sum | "
            "cut -c 1-64); or say --open where whoever reaches it may ask.",
        )


def _tls(device: DeviceSettings) -> Wrap | None:
    if device.tls_cert is None and device.tls_key is None:
        return None
    if device.tls_cert is None or device.tls_key is None:
        lacks = "--tls-key" if device.tls_cert else "--tls-cert"
        raise ServeError(f"{lacks} is missing", "TLS needs both: --tls-cert FILE --tls-key FILE.")
    from onnxlet.edge.server.tls import TlsSocket, make_context

    context = make_context(device.tls_cert, device.tls_key)
    return lambda sock: TlsSocket(sock, context)


def _watchdog() -> Watchdog | None:
    tell = teller(os.environ)
    return Watchdog(tell, watchdog_seconds(os.environ), request_log.write) if tell else None


def _asker(app: Any, address: Any, tls: bool, secret: Secret) -> Asker:
    from onnxlet.edge.service.self_check import Asker, connector
    from onnxlet.function.app import SERVICE

    return Asker(app.extensions[SERVICE].repository, connector(address, tls), secret)


def _server(app: Any, listener: socket.socket, wrap: Wrap | None) -> Server:
    from onnxlet.edge.server.server import Server
    from onnxlet.function.app import SERVICE
    from onnxlet.function.monitoring.metrics import PATH
    from onnxlet.function.protocols.registry import DIALECTS

    service = app.extensions[SERVICE]
    settings = service.settings
    prompt = set().union(*(dialect.OPEN for dialect in DIALECTS))
    # The first scrape imports: it waits for its turn, so that nothing waits for the disk with it.
    service.meter.imported = lambda: prompt.add(PATH)
    return Server(
        app,
        listener,
        threads=THREADS,
        in_flight=settings.max_in_flight,
        body_limit=settings.max_body_bytes,
        prompt=prompt,
        wrap=wrap,
        fail=request_log.fail,
    )


def _signals() -> socket.socket:
    """Becomes readable with the first signal that ends the server, whichever thread it comes to."""
    told, telling = socket.socketpair()
    telling.setblocking(False)
    for number in ENDING:
        signal.signal(number, lambda received, frame: None)
    signal.set_wakeup_fd(os.dup(telling.fileno()))
    return told


def _say_how_to_call(app: Any, listener: socket.socket, tls: bool) -> None:
    host, port = listener.getsockname()[:2]
    for line in introduction(app, f"http{'s' * tls}://{_in_url(host)}:{port}"):
        print(line)
    sys.stdout.flush()
