"""The function as a server, which finishes requests before it ends.

The only process, or one of several: `onnxlet.edge.workers`.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import shlex
import socket
import sys
import threading
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.edge.service.process import ENDING, end_on, signals
from onnxlet.edge.service.systemd import Watchdog, notifier, watchdog_seconds
from onnxlet.edge.settings.device import DeviceSettings, in_url
from onnxlet.folders import CHECKOUT, typed
from onnxlet.function import request_log
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from onnxlet.edge.aggregation.link import Link
    from onnxlet.edge.server.connections import Wrap
    from onnxlet.edge.server.entrance import SharedCounters
    from onnxlet.edge.server.server import Server
    from onnxlet.edge.service.secret import Secret
    from onnxlet.edge.service.self_check import SelfCheck
    from onnxlet.function.http.fast_path import App
    from onnxlet.function.models.model import Model

NOT_HERE = errno.EADDRNOTAVAIL  # not an address of this machine
IDLE_SECONDS = 1.0  # after a start, until all is imported that predictions do without
# Objects, and collections of younger ones, after which the collector looks for cycles: a request
# makes none, and looking through what waits to be counted took a twentieth of its time.
COLLECT_AFTER = 20_000, 20, 20
SOON_COUNTED = 100  # answered rows; of 250 columns and answers are counted, by NumPy
THREADS = 4  # answers that are computed at the same time


class ServeError(OnnxletError):
    """The server can't start."""


class Post(NamedTuple):
    """A worker's post."""

    link: Link  # to the supervisor, and by way of it to the other workers
    counters: SharedCounters  # the numbers that all share
    # Reports golden rows that are answered; None where systemd does not listen.
    watchdog: Watchdog | None
    # Called with what ends this process as a signal does, once a byte is sent: from then on, what
    # is in hand is finished when the supervisor ends it.
    begins: Callable[[socket.socket], None]
    # Called with what a server prints when it starts, once requests are answered.
    serves: Callable[[list[str]], None]


def _introduction(app: Any, listener: socket.socket, tls: bool) -> list[str]:
    """What a server prints when it starts: its models, and a curl call of the newest one."""
    from onnxlet.function.app import SERVICE
    from onnxlet.function.models.example import example_instance

    host, port = listener.getsockname()[:2]
    url = f"http{'s' * tls}://{in_url(host)}:{port}"
    service = app.extensions[SERVICE]
    wide = ", and on every other address of this machine" * (host in ("0.0.0.0", "::"))  # noqa: S104 - compared, not bound
    ends = "  (Ctrl-C ends it)" * ("NOTIFY_SOCKET" not in os.environ)
    lines = [f"serving {', '.join(service.repository.names)} on {url}{wide}{ends}"]
    key = " -H 'X-API-Key: KEY'" if service.settings.api_keys else ""
    model = max(service.repository.models, key=_built)
    if len(service.repository.names) > 1:
        lines.append(f"{url}/ in a browser, or GET {url}/models, shows how to call each of them")
    body = json.dumps({"instances": [example_instance(model)]}, ensure_ascii=False)
    path = f"{url}/models/{model.name}/predict"
    call = f"curl -s {path}{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return [*lines, "", call, ""]


def _built(model: Model) -> float:
    """When its version was written; the same time for all models of a bundle."""
    try:
        return (model.directory / "manifest.json").stat().st_mtime if model.directory else 0.0
    except OSError:  # removed since
        return 0.0


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded, so that a taken port is reported immediately.

    ServeError is raised where the address can't be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        wrong_host = isinstance(error, socket.gaierror) or getattr(error, "errno", 0) == NOT_HERE
        with_make = "; with make: make run PORT=8081" if CHECKOUT else ""
        way_out = option("host") if wrong_host else f"{option('port')}{with_make}"
        low = "Only root may listen below 1024. " * isinstance(error, PermissionError)
        raise ServeError(
            f"can't listen on {host} port {port}: {error}", f"{low}Choose another with {way_out}."
        ) from error
    listener.listen(2048)
    return listener


def option(name: str) -> str:
    """An option of `serve` as its reader sets it: a device's service has the variable only."""
    return f"--{name}" + f" (ONNXLET_DEVICE_{name.upper().replace('-', '_')})" * (not CHECKOUT)


def check_start(device: DeviceSettings, settings: Settings) -> None:
    """Raise what a start would, as far as that shows before models are loaded."""
    with listen(device.host, 0) as listener:  # the port may be taken by the service as it is
        refuse_to_be_open(listener.getsockname()[0], device, settings)
    _tls(device)
    listen(device.host, device.port).close()


def serve(models: Path, device: DeviceSettings, settings: Settings) -> None:
    """Serve by this process until SIGTERM or SIGINT.

    Requests in flight are finished, unless a second signal comes. Raises ServeError where the
    address is taken, or others could ask without a key, TlsError where the certificate or its key
    can't be used, OnnxletError where the settings or the models can't be.
    """
    listener = listen(device.host, device.port)
    address = listener.getsockname()[0]
    refuse_to_be_open(address, device, settings)
    from onnxlet.edge.service.secret import Secret

    secret = Secret()
    save(secret)
    serve_on(listener, models, device, settings, secret)


def save(secret: Secret) -> None:
    """Save it for a device's updates, where systemd has set a folder for it."""
    if "STATE_DIRECTORY" in os.environ:
        secret.save(Path(os.environ["STATE_DIRECTORY"]))


def serve_on(
    listener: socket.socket,
    models: Path,
    device: DeviceSettings,
    settings: Settings,
    secret: Secret,
    post: Post | None = None,
) -> None:
    """Serve on a bound and listening socket, as `serve` does; `post` is a worker's."""
    wrap = _tls(device)
    settings = for_address(listener.getsockname()[0], device.host, settings)
    gc.disable()  # while modules are imported: a collection would find nothing
    from onnxlet.edge.service.app import make_app, start_forwarding, start_keeping, start_tracing
    from onnxlet.edge.service.log_writer import LogWriter

    writer = LogWriter(request_log.STANDARD_ERROR)
    request_log.put = writer.put
    if post:
        from onnxlet.edge.aggregation.graphs import SharedGraphs
        from onnxlet.function.runtime import sessions

        sessions.open_graph = SharedGraphs(post.link).open
    watchdog = post.watchdog if post else _watchdog()
    log = watchdog.log if watchdog else request_log.write
    forward = start_forwarding(device.forward)
    keep = start_keeping(settings, device.forward)
    tracing = start_tracing(os.environ)
    app = make_app(
        models, secret=secret, log=log, forward=forward, settings=settings, keep=keep,
        link=post.link if post else None, tracing=tracing,
    )  # fmt: skip
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
    server = _server(app, listener, wrap, post.counters if post else None, writer.together)
    ending, end = signals()
    if post:
        post.begins(end)
    running = threading.Thread(target=server.run, daemon=True)  # an error below ends the process
    running.start()
    if watchdog:
        adopt = server.adopt if post else None
        watchdog.start(_self_check(app, listener, wrap is not None, secret, adopt))
    lines = _introduction(app, listener, wrap is not None)
    if post:
        post.serves(lines)
    else:
        show(lines)
    _wait(ending, app)
    if watchdog:
        watchdog.stop()
    server.stop()
    for number in ENDING:
        end_on(number)
    running.join()
    if tracing:
        tracing.stop()


def _wait(ending: socket.socket, app: App) -> None:
    """Wait for the end; meanwhile import what a start leaves out.

    NumPy only once rows are answered: of few most need none, but they are counted by it.
    """
    from onnxlet.function.app import SERVICE

    counts = app.extensions[SERVICE].counts
    ending.settimeout(IDLE_SECONDS)
    while sum(each["rows"] for each in counts.state()) < SOON_COUNTED:
        with suppress(TimeoutError):
            ending.recv(1)
            return
        app.flask()
    import_module("numpy")
    ending.settimeout(None)
    ending.recv(1)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    return address.startswith("127.") or address == "::1"


def for_address(address: str, host: str, settings: Settings) -> Settings:
    """Check the Host header on loopback, against DNS rebinding; know the owner of a server there.

    A page of any site can make its own name resolve to this machine, and would read the answers.
    Without keys, and without names that a proxy would ask by, only the owner asks. The host is as
    it was configured: a device's updates use it in their requests.
    """
    if is_loopback(address) and settings.hosts is None:
        settings = settings._replace(owned=not (settings.api_keys or settings.reader_keys))
    if is_loopback(address) or settings.hosts is not None:
        return settings._replace(hosts=(settings.hosts or frozenset()) | {host.lower()})
    return settings


def refuse_to_be_open(address: str, device: DeviceSettings, settings: Settings) -> None:
    """Require an API key, or `--open`, where others than this machine can connect.

    ServeError is raised where neither is set.
    """
    if not (is_loopback(address) or device.open or settings.api_keys):
        raise ServeError(
            f"listening on {address}, others than this machine could ask, and no API key is set",
            "Set ONNXLET_API_KEYS=NAME:$(printf %s KEY | sha256sum | cut -c 1-64), or make a key "
            f"beside the models: {typed('edge', 'key NAME')}; or say --open "
            "(ONNXLET_DEVICE_OPEN=yes) if everybody who can connect may ask.",
        )


def _tls(device: DeviceSettings) -> Wrap | None:
    if device.tls_cert is None and device.tls_key is None:
        return None
    if device.tls_cert is None or device.tls_key is None:
        cert, key = option("tls-cert"), option("tls-key")
        lacks = key if device.tls_cert else cert
        raise WrongUse(f"{lacks} is missing", f"TLS needs both: {cert} and {key}, each a file.")
    from onnxlet.edge.server.tls import TlsSocket, make_context

    context = make_context(device.tls_cert, device.tls_key)
    return lambda sock: TlsSocket(sock, context)


def _watchdog() -> Watchdog | None:
    notify = notifier(os.environ)
    return Watchdog(notify, watchdog_seconds(os.environ), request_log.write) if notify else None


def _self_check(
    app: Any,
    listener: socket.socket,
    tls: bool,
    secret: Secret,
    adopt: Callable[[socket.socket], None] | None,
) -> SelfCheck:
    from onnxlet.edge.service.self_check import SelfCheck, connector
    from onnxlet.function.app import SERVICE

    connect = connector(listener.getsockname(), tls, adopt)
    return SelfCheck(app.extensions[SERVICE].repository, connect, secret)


def _server(
    app: Any,
    listener: socket.socket,
    wrap: Wrap | None,
    peers: SharedCounters | None = None,
    together: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Server:
    from onnxlet.edge.server.server import Server
    from onnxlet.function.app import SERVICE
    from onnxlet.function.http.routes import METRICS

    service = app.extensions[SERVICE]
    settings = service.settings
    prompt = {route.rule for route in service.routes if route.urgent and route.rule != METRICS}
    # The first scrape reads modules from the disk: it queues, so that no request waits for it. So
    # do all of them where other workers are asked, one of which may not answer.
    if peers is None:
        service.meter.imported = lambda: prompt.add(METRICS)
    return Server(
        app,
        listener,
        threads=THREADS,
        in_flight=settings.max_in_flight,
        body_limit=settings.max_body_bytes,
        prompt=prompt,
        wrap=wrap,
        fail=request_log.fail,
        peers=peers,
        together=together,
        takes_body=app.takes_body,
    )


def show(lines: list[str]) -> None:
    """Print what a server says when it starts."""
    with suppress(OSError):  # standard output is closed, or on a full disk
        for line in lines:
            print(line)
        sys.stdout.flush()
