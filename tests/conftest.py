"""Models built once, and one client for each way that a request can come."""

from __future__ import annotations

import base64
import gc
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings

import onnxlet.environment  # noqa: F401 - before NumPy
from onnxlet.convert.sources.source import Source, load_source
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.http.fast_path import App
from onnxlet.function.settings import Settings
from tests import estimators
from tests.events import CONTEXT, make_alb_event, make_v1_event, make_v2_event
from tests.kept_builds import kept_builds

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "convert" / "examples"


# By itself Hypothesis fails an example that takes 0.2 seconds, or drawing ten that takes one: a
# busy machine does that. Where nothing may be missing, as in CI, each run has the same examples.
settings.register_profile(
    "patient", deadline=None, derandomize=os.environ.get("TESTS_MAY_SKIP") == "no"
)
settings.load_profile("patient")


MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of its own there
MEMORY_BYTES = 4 << 30  # free; the usual suite takes half a gigabyte at once
WORKERS: dict[str, str] = {}  # what servers that tests start get of `--workers`
FIRST_OF = {"test": "[", "file": "::"}  # by what follows them in a case's name


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--workers N`: processes of each server that tests start; `--long`; shares of a suite."""
    parser.addoption("--workers", default="1", help="worker processes of each started server")
    parser.addoption("--long", action="store_true", help="tests that take seconds, too")
    parser.addoption("--share", type=int, default=1, help="first cases, one in N of the others")
    parser.addoption(
        "--share-of", choices=list(FIRST_OF), default="test", help="first case of each"
    )


def pytest_configure(config: pytest.Config) -> None:
    _draw_as_ever()  # for what modules of tests fit when they are imported
    if config.getoption("--long"):
        config.option.markexpr = config.option.markexpr.replace(" or long", "")
    suite = config.getoption("markexpr")
    if (suite.startswith("not ") or suite == "workers") and _has_room_in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if config.getoption("--workers") != "1":
        WORKERS["ONNXLET_DEVICE_WORKERS"] = config.getoption("--workers")


def _has_room_in_memory() -> bool:
    """Whether what tests write may lie in memory: what they sync waits for no busy disk there."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(MEMORY).free > MEMORY_BYTES


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among tests that are collected: they stay, and are many."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)  # of what is left by -m and -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would only be run again, and what is not of the share."""
    again = {each for each in items if _is_of_no_worker(each) or _is_of_another_transport(each)}
    if (share := config.getoption("--share")) > 1:
        end = FIRST_OF[config.getoption("--share-of")]
        first = set({e.nodeid.partition(end)[0]: e for e in reversed(items)}.values())
        again |= {e for e in items if e not in first and zlib.crc32(e.nodeid.encode()) % share}
    config.hook.pytest_deselected(items=again)
    items[:] = [each for each in items if each not in again]


def _is_of_no_worker(item: pytest.Item) -> bool:
    """With `--workers`: its module starts no server, so that it is as without."""
    starting = {"clean_environ", "running_server", "start_server", "started"}
    return bool(WORKERS) and starting.isdisjoint(vars(getattr(item, "module", item)))


def _is_of_another_transport(item: pytest.Item) -> bool:
    """Not of Flask's: tests/function/test_transports.py has all answers the same on each."""
    transport = getattr(getattr(item, "callspec", None), "params", {}).get("client")
    other = transport in TRANSPORTS and transport != TRANSPORTS[0]
    return other and item.get_closest_marker("every_transport") is None


@pytest.fixture(scope="session")
def sampled(pytestconfig: pytest.Config) -> bool:
    """Whether this is a share of the suite (`--share`): what is tried at random is, less often."""
    return int(pytestconfig.getoption("--share")) > 1


@pytest.fixture(autouse=True)
def path_of_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file that is read takes off it for good is there again for the next test."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _draw_as_ever()


def _draw_as_ever() -> None:
    """Estimators without a `random_state` are the same in every run: no rare one fails a test."""
    import numpy as np  # not before `onnxlet.environment`

    np.random.seed(0)


def clean_environ() -> dict[str, str]:
    """This process's environment without what sets a server, but for its number of workers."""
    return {k: v for k, v in os.environ.items() if not k.startswith("ONNXLET_")} | WORKERS


def quiet(line: str) -> None:
    """A build's progress, not shown."""


def lacking(reason: str) -> NoReturn:
    """Skip a test for what is not here; fail where nothing may be missing, as in CI.

    Args:
        reason: what it is, and how to get it.
    """
    if os.environ.get("TESTS_MAY_SKIP") == "no":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def sources() -> dict[str, Source]:
    """The estimators behind `models`, by name."""
    return model_sources()


def model_sources() -> dict[str, Source]:
    """The same, for what is no test."""
    return {
        "house-prices": load_source(f"{EXAMPLES / 'house_prices.py'}:build"),
        "loan-default": load_source(f"{EXAMPLES / 'loan_default.py'}:build"),
        "iris": estimators.iris(),
        "shop": estimators.shop(),
    }


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, sources: Mapping[str, Source]) -> Path:
    """A folder of model directories, version 1 of each source. Tests don't write there."""
    return kept_builds(sources, tmp_path_factory.mktemp("models"))


@pytest.fixture
def own(models: Path, tmp_path: Path) -> Path:
    """A folder with version 1 of one model, which a test may change."""
    shutil.copytree(models / "iris", tmp_path / "models" / "iris")
    return tmp_path / "models"


@dataclass(frozen=True)
class Answer:
    """What came back, whichever way it came."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Send = Callable[[str, str, bytes | None, Mapping[str, str]], Answer]


class Client:
    """Sends requests one way or another."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._send("GET", path, None, headers or {})

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, kind: str = "json"
    ) -> Answer:
        """`body` is sent as it is where it is bytes, else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        media_type = {"json": "application/json", "csv": "text/csv"}.get(kind, kind)
        return self._send("POST", path, content, {"Content-Type": media_type, **(headers or {})})

    def request(self, method: str, path: str) -> Answer:
        return self._send(method, path, None, {})


def _through_flask(app: Any) -> Send:
    client = app.test_client()

    def send(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        got = client.open(path, method=method, data=body, headers=dict(headers))
        return Answer(got.status_code, {k.lower(): v for k, v in got.headers}, got.data)

    return send


Event = dict[str, Any]


def through_events(answer: Callable[[Event], Event], make: Callable[..., Event]) -> Send:
    """Sends requests as Lambda events of one kind to what answers them."""

    def send(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        binary = body is not None and not _is_text(body)
        path, _, query = path.partition("?")
        event = make(
            method=method, path=path, query=query, body=body, headers=headers, binary=binary
        )
        got = answer(event)
        many = {k: ", ".join(v) for k, v in got.get("multiValueHeaders", {}).items()}
        found = {k.lower(): v for k, v in {**many, **got.get("headers", {})}.items()}
        as_bytes = found.get("content-type") == "application/octet-stream"
        assert got["isBase64Encoded"] is as_bytes, "JSON must go as text, bytes as base64"
        content = base64.b64decode(got["body"]) if as_bytes else got["body"].encode()
        return Answer(got["statusCode"], found, content)

    return send


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def through_socket(port: int, host: str = "127.0.0.1") -> Send:
    """Sends each request over a connection of its own."""

    def send(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    return send


def ran(command: Sequence[str | Path], **more: Any) -> subprocess.CompletedProcess[str]:
    """What became of a command, and its output as text; it ends with the test's own time.

    Args:
        command: its words.
        more: what `subprocess.run` takes beside them; its folder is the project's.
    """
    usual: dict[str, Any] = {"cwd": ROOT, "text": True, "capture_output": True}
    done: subprocess.CompletedProcess[str] = subprocess.run(command, **usual | more)
    return done


def begun(command: Sequence[str | Path], **more: Any) -> subprocess.Popen[str]:
    """A command that runs, its output a pipe of text; `more` is what `subprocess.Popen` takes."""
    usual: dict[str, Any] = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE}
    process: subprocess.Popen[str] = subprocess.Popen(command, **usual | more)
    return process


def at_once(*calls: Callable[[], object]) -> None:
    """Run each in a thread of its own, and wait for all of them."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hear_ctrl_c() -> None:
    """For a process that is started: a shell's background, which these may run in, ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def loaded_by_a_start(models: Path) -> set[str]:
    """The modules that a process has once Lambda's entry is imported."""
    code = "import sys, onnxlet.function.handler; print(*sys.modules)"
    environ = {**os.environ, "ONNXLET_MODELS": str(models)}
    return set(ran([sys.executable, "-c", code], env=environ, check=True).stdout.split())


def app_of(models: Path, **settings: Any) -> App:
    """An app that serves a folder, with these settings."""
    return create_app(models, settings=Settings(models, **settings))


def client_of(app: Any) -> Client:
    """A client of an app in this process."""
    return Client(_through_flask(app))


@dataclass(frozen=True)
class Server:
    """`python -m edge serve`, started and ready."""

    process: subprocess.Popen[str]
    port: int


def start_server(
    models: Path,
    environ: Mapping[str, str],
    log: Path,
    before: Sequence[str] = (),
    program: Sequence[str] = ("-m", "edge"),
) -> Server:
    """Start the device server on a free port, and wait until it says what it serves.

    Args:
        models: folder of model directories.
        environ: its environment.
        log: file for what it logs.
        before: words of a command that runs it.
        program: what Python runs.
    """
    serve = ["serve", "--models", str(models), "--port", "0"]
    return started([*before, sys.executable, *program, *serve], environ, log)


def started(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Server:
    """A device server by a command of one's own."""
    with log.open("w") as errors:
        process = begun(command, env=dict(environ), stderr=errors)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    if found is None:
        process.kill()
        process.communicate()
        raise AssertionError(f"the server did not start: {line}{log.read_text()}")
    return Server(process, int(found[1]))


def stop_server(server: Server) -> int:
    """SIGTERM, and the exit code."""
    server.process.terminate()
    server.process.communicate(timeout=60)
    return server.process.returncode


@contextmanager
def running_server(
    models: Path, environ: Mapping[str, str], log: Path, **more: Any
) -> Iterator[Server]:
    """A device server that has to end well; `more` is what `start_server` takes."""
    server = start_server(models, environ, log, **more)
    try:
        yield server
    finally:
        assert stop_server(server) == 0


@pytest.fixture(scope="session")
def socket_port(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a device server that serves `models` for the whole session."""
    clean = clean_environ()
    clean["ONNXLET_HOSTS"] = "elsewhere.example"
    with running_server(models, clean, tmp_path_factory.mktemp("log") / "stderr") as server:
        yield server.port


TRANSPORTS = ("flask", "REST API", "HTTP API", "load balancer", "socket")


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest, models: Path) -> Client:
    """A client of an app; one for each transport where a test is marked `every_transport`."""
    if request.param == "socket":
        return Client(through_socket(request.getfixturevalue("socket_port")))
    app = app_of(models)
    makers: dict[str, Callable[..., dict[str, Any]]] = {
        "REST API": make_v1_event,
        "HTTP API": make_v2_event,
        "load balancer": make_alb_event,
    }
    if request.param in makers:
        return Client(
            through_events(lambda event: respond(app, event, CONTEXT), makers[request.param])
        )
    return Client(_through_flask(app))


@pytest.fixture
def flask_client(models: Path) -> Callable[..., Client]:
    """Makes a client of an app with these settings, in this process."""

    def make(**settings: Any) -> Client:
        return client_of(app_of(models, **settings))

    return make
