"""Fetching over real sockets: resumed, capped, bounded; TLS by a certificate made here."""

from __future__ import annotations

import hashlib
import io
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from onnxlet.edge.server.tls import make_context
from onnxlet.edge.update import fetch
from onnxlet.edge.update.errors import Failed, Refused, Unreachable
from onnxlet.edge.update.fetch import Web, beside, check, download, read_small
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.update import update
from onnxlet.function.errors import WrongUse
from tests.conftest import ran
from tests.edge.certificates import make_pair
from tests.edge.update.conftest import tree

CONTENT = bytes(range(256)) * 4000
WEB = Web(timeout=20, attempts=3, pause=0.01)
HERE, GOOD = "127.0.0.1", (2020, 2090)  # the years of a certificate


@dataclass
class Source:
    """What a server does, request by request.

    Attributes:
        folder: whose files it sends.
        breaks: bytes after which answers break off, one for each of the next answers.
        statuses: said instead of the next answers.
        ranges: it knows of them.
        led: where it leads to, instead, answer by answer; the last one stays.
        beside: bytes that are sent with that.
        sent: how many of them went out.
        drops: it sends a byte at a time.
        asked: paths and ranges of the requests that came.
    """

    folder: Path
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    led: list[str] = field(default_factory=list)
    beside: int = 0
    sent: int = 0
    drops: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)


def handler_of(source: Source) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            source.asked.append((self.path, wanted))
            if source.led:
                self.send_response(302)
                led = source.led.pop(0) if len(source.led) > 1 else source.led[0]
                self.send_header("Location", led)
                self.send_header("Content-Length", str(source.beside))
                self.end_headers()
                while source.sent < source.beside:
                    source.sent += self.wfile.write(b"x" * 100_000)
                return
            if source.statuses:
                self.send_error(source.statuses.pop(0))
                return
            content = (source.folder / self.path.strip("/")).read_bytes()
            start = int(wanted[6:-1]) if wanted and source.ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/9")
            self.end_headers()
            part = content[start:]
            for place in range(len(part) if source.drops else 0):
                self.wfile.write(part[place : place + 1])
                self.wfile.flush()
                time.sleep(0.05)
            self.wfile.write(part[: source.breaks.pop(0)] if source.breaks else part)

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


class QuietServer(ThreadingHTTPServer):
    """Clients that go are no news."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


Serve = Callable[..., tuple[str, Source]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[ThreadingHTTPServer] = []

    def start(
        certificate: tuple[Path, Path] | None = None, host: str = HERE, **more: Any
    ) -> tuple[str, Source]:
        (tmp_path / "served").mkdir(exist_ok=True)
        source = Source(tmp_path / "served", **more)
        server = QuietServer((host, 0), handler_of(source))
        if certificate:
            server.socket = make_context(*certificate).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        started.append(server)
        scheme = "https" if certificate else "http"
        (source.folder / "file").write_bytes(CONTENT)
        return f"{scheme}://{host}:{server.server_port}", source

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "download").mkdir()
    return tmp_path / "download" / "part"


def test_what_broke_off_goes_on(serve: Serve, part: Path) -> None:
    url, source = serve(breaks=[1000, 2000])
    download(f"{url}/file", part, len(CONTENT), WEB)

    assert part.read_bytes() == CONTENT
    assert [asked for _, asked in source.asked] == [None, "bytes=1000-", "bytes=3000-"]


def test_the_next_run_goes_on_too(serve: Serve, part: Path) -> None:
    url, source = serve(breaks=[100, 100, 100])
    with pytest.raises(Unreachable, match="can't be fetched"):
        download(f"{url}/file", part, len(CONTENT), WEB)
    assert part.read_bytes() == CONTENT[:300]
    download(f"{url}/file", part, len(CONTENT), WEB)

    assert part.read_bytes() == CONTENT
    assert source.asked[-1][1] == "bytes=300-"


def test_a_server_that_knows_no_ranges_sends_all(serve: Serve, part: Path) -> None:
    url, _ = serve(breaks=[1000], ranges=False)
    download(f"{url}/file", part, len(CONTENT), WEB)
    assert part.read_bytes() == CONTENT


def test_more_than_was_signed_is_not_kept(serve: Serve, part: Path) -> None:
    url, _ = serve()
    with pytest.raises(Refused, match="expected 1000 bytes, as signed, got more"):
        download(f"{url}/file", part, 1000, WEB)
    assert part.stat().st_size <= 1000
    with pytest.raises(Refused, match="expected at most 50 bytes, got more"):
        read_small(f"{url}/file", 50, WEB)


def test_more_than_is_free_is_not_begun(serve: Serve, part: Path) -> None:
    url, source = serve()
    with pytest.raises(Failed, match=r"expected 1,000,000,000\.0 MB free"):
        download(f"{url}/file", part, 10**15, WEB)
    assert source.asked == []


def test_trying_again_is_bounded_and_slower_each_time(serve: Serve, part: Path) -> None:
    pauses: list[float] = []
    web = WEB._replace(pause=1, attempts=4, sleep=pauses.append)
    url, source = serve(statuses=[503, 429, 500])
    download(f"{url}/file", part, len(CONTENT), web)
    assert (pauses, len(source.asked)) == ([1, 2, 4], 4)
    source.statuses[:] = [503] * 9
    with pytest.raises(Unreachable, match="the server says 503"):
        read_small(f"{url}/file", 10**7, web)
    assert len(source.asked) == 8
    with pytest.raises(Unreachable, match="503"):
        read_small(f"{url}/file", 10**7, web._replace(most_seconds=0.5))
    assert len(source.asked) == 9


def test_a_server_that_sends_drops_is_left(serve: Serve, part: Path) -> None:
    url, source = serve(drops=True)
    (source.folder / "file").write_bytes(CONTENT[:400])  # for 20 seconds
    with pytest.raises(Unreachable, match="it takes too long"):
        download(f"{url}/file", part, 400, WEB._replace(most_seconds=2))
    assert 0 < part.stat().st_size < 300
    with pytest.raises(Unreachable, match="it takes too long"):
        read_small(f"{url}/file", 500, WEB._replace(most_seconds=0.4))


def test_a_small_file_that_broke_off_is_fetched_again(serve: Serve) -> None:
    url, source = serve(breaks=[10, 100, 10**7])
    assert read_small(f"{url}/file", 10**7, WEB) == CONTENT
    assert len(source.asked) == 3


def test_a_full_disk_is_reported_as_such(serve: Serve, part: Path) -> None:
    url, source = serve()
    program = (
        "import resource, sys; from pathlib import Path; from onnxlet.edge.update.fetch import *; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        f"download({url + '/file'!r}, Path({str(part)!r}), {len(CONTENT)}, Web(pause=0.01))"
    )
    done = ran([sys.executable, "-c", program])
    assert "Failed: the download can't be written: File too large" in done.stderr
    assert (part.stat().st_size, len(source.asked)) == (1000, 1)


def test_what_does_not_exist_is_requested_once(serve: Serve) -> None:
    url, source = serve(statuses=[404] * 3)
    with pytest.raises(Unreachable, match="the server says 404"):
        read_small(f"{url}/file", 10, WEB)
    assert len(source.asked) == 1


def test_a_server_that_hangs_or_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Unreachable, match="timed out"):
            read_small(f"http://127.0.0.1:{port}/x", 10, WEB._replace(timeout=0.1))
    with pytest.raises(Unreachable, match="refused"):
        read_small(f"http://127.0.0.1:{port}/x", 10, WEB)
    with pytest.raises(Unreachable, match="Is it there"):
        read_small("https://nowhere.invalid/x", 10, WEB)


@pytest.mark.parametrize("led", ["file:///etc/passwd", "http://example.com/x", "ftp://x/y"])
def test_nobody_leads_it_elsewhere(serve: Serve, led: str) -> None:
    url, _ = serve(led=[led])
    with pytest.raises((WrongUse, Unreachable), match=r"without TLS|leads to|Redirection"):
        read_small(f"{url}/file", 10, WEB)


@pytest.mark.parametrize("led", ["http://[::1/x", "http://" + "a" * 64 + ".example/", "https://"])
def test_it_is_led_to_an_address_that_is_none(serve: Serve, led: str) -> None:
    url, _ = serve(led=[led])
    with pytest.raises((WrongUse, Unreachable)) as caught:
        read_small(f"{url}/file", 10, WEB._replace(insecure=True))
    assert url in caught.value.message


def test_it_is_led_on_a_few_times_and_reads_nothing_of_that(serve: Serve) -> None:
    other, source = serve()
    (source.folder / "a%20file").write_bytes(b"here")
    url, leads = serve(led=["/x", f"{other}/a file"], beside=400_000_000)
    assert read_small(f"{url}/file", 10, WEB) == b"here"
    assert [path for path, _ in leads.asked] == ["/file", "/x"]
    assert leads.sent < 40_000_000, "what the sockets' buffers hold, at most"
    leads.led[:] = ["/round"]
    leads.beside = 0
    with pytest.raises(Unreachable, match="redirects too often"):
        read_small(f"{url}/file", 10, WEB)


def test_nobody_leads_it_from_https_to_http_on_this_machine(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_pair(tmp_path, names=[HERE], years=GOOD)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    here, local = serve()
    url, _ = serve(certificate, led=[f"{here}/file"])
    with pytest.raises(WrongUse, match=r"leads from https:// to 'http://127.*without TLS"):
        read_small(f"{url}/file", 10**7, WEB)
    assert local.asked == []
    assert read_small(f"{url}/file", 10**7, WEB._replace(insecure=True)) == CONTENT


def test_schemes() -> None:
    for url in ("https://a/b", "s3://a/b", "/a/b", "b.zip", "http://127.0.0.1:1/", "http://[::1]/"):
        check(url, insecure=False)
    check("http://example.com/", insecure=True)
    for url in ("http://example.com/", "ftp://a/b", "file:///etc/passwd", "data://x"):
        with pytest.raises(WrongUse):
            check(url, insecure=False)
    assert beside("https://a/b.zip?token=1", ".minisig") == "https://a/b.zip.minisig?token=1"
    assert beside("b c.zip", ".minisig") == "b c.zip.minisig"


def test_a_release_comes_by_https(
    serve: Serve,
    setup: Setup,
    archives: Callable[[int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_pair(tmp_path, names=[HERE], years=GOOD)
    url, source = serve(certificate)
    for name in ("2.zip", "2.zip.minisig"):
        shutil.copy(archives(2).with_name(name), source.folder / name)
    before = tree(setup.paths.root)
    with pytest.raises(Unreachable, match="certificate verify failed"):
        update(setup, f"{url}/2.zip")
    assert tree(setup.paths.root) == before

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    source.breaks += [10**6, 50_000, 100_000]  # the signature comes whole, the archive does not
    assert update(setup, f"{url}/2.zip") == ["bundle release 2: taken"]
    assert [asked for path, asked in source.asked if path == "/2.zip"] == [
        None,
        "bytes=50000-",
        "bytes=150000-",
    ]


@pytest.mark.parametrize("years", [(1971, 1972), (2080, 2090)])
def test_a_certificate_is_good_whatever_the_clock_says(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: tuple[int, int]
) -> None:
    certificate = make_pair(tmp_path, names=[HERE], years=years)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    url, _ = serve(certificate)
    assert read_small(f"{url}/file", len(CONTENT), WEB) == CONTENT


def test_another_host_s_certificate_is_refused(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_pair(tmp_path, names=["127.0.0.2"], years=GOOD)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    url, _ = serve(certificate)
    with pytest.raises(Unreachable, match="IP address mismatch"):
        read_small(f"{url}/file", 10, WEB)


def test_a_killed_download_goes_on(
    serve: Serve, setup: Setup, archives: Callable[[int], Path]
) -> None:
    """An interrupted run left half of the archive; a wrong half is reported."""
    url, source = serve()
    for name in ("2.zip", "2.zip.minisig"):
        shutil.copy(archives(2).with_name(name), source.folder / name)
    content = archives(2).read_bytes()
    folder = setup.paths.data / "download"
    folder.mkdir()
    (folder / "of another release.zip").write_bytes(b"x")
    half = folder / f"{hashlib.sha256(content).hexdigest()}.zip"
    half.write_bytes(b"x" * 1000)
    with pytest.raises(Refused, match="expected sha256"):
        update(setup, f"{url}/2.zip")
    assert not folder.exists()
    folder.mkdir()
    half.write_bytes(content[:1000])
    assert update(setup, f"{url}/2.zip") == ["bundle release 2: taken"]
    assert source.asked[-1] == ("/2.zip", "bytes=1000-")


def test_s3_needs_boto3_and_says_so() -> None:
    program = "from onnxlet.edge.update.fetch import *; read_small('s3://bucket/x', 9, Web())"
    done = ran([sys.executable, "-c", program])
    assert "there is no boto3 here" in done.stderr


def test_s3(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 as far as it is used here; it is in no environment of these tests."""
    asked: list[dict[str, str]] = []

    class Client:
        def get_object(self, **what: str) -> dict[str, Any]:
            asked.append(what)
            if len(asked) == 1:
                raise ConnectionResetError("reset")
            start = int(what.get("Range", "bytes=0-")[6:-1])
            return {"Body": io.BytesIO(CONTENT[start : start + 600_000])}

    boto3, config = ModuleType("boto3"), ModuleType("botocore.config")
    boto3.client = lambda name, config: Client()  # type: ignore[attr-defined] # made here
    config.Config = lambda **more: None  # type: ignore[attr-defined] # the same
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    monkeypatch.setitem(sys.modules, "botocore", ModuleType("botocore"))
    monkeypatch.setitem(sys.modules, "botocore.config", config)

    fetch.download("s3://bucket/a/b.zip", part, len(CONTENT), WEB)

    assert part.read_bytes() == CONTENT
    assert asked[-1] == {"Bucket": "bucket", "Key": "a/b.zip", "Range": "bytes=600000-"}
