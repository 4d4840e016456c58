"""Fetch files from HTTPS, S3 or a path: resumed, limited in size and time, with retries.

What a source sends is verified by its signature. So an HTTPS server's certificate is checked, but
not its dates, which would lock out a device whose clock was never set.
"""

from __future__ import annotations

import http.client
import shutil
import ssl
import string
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit

from onnxlet.edge.net.http_client import NO_DATES, Deadline, WatchedHttp, WatchedHttps
from onnxlet.edge.update.errors import Failed, Refused, Unreachable
from onnxlet.function.errors import WrongUse

CHUNK = 1 << 18  # bytes
NO_ROOM_HINT = "Make room there; what serves is as it was."
T = TypeVar("T")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # statuses after which a retry may succeed
RANGE_IS_BEYOND = 416
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5


class Web(NamedTuple):
    """Limits and retries of fetching."""

    insecure: bool = False  # allow HTTP without TLS to other machines, too
    timeout: float = 20  # seconds without a byte until a retry
    # Seconds within which an answer must begin, and then send `least` bytes each time.
    window: float = 60
    least: int = 10_000  # bytes in each window
    attempts: int = 6  # in total
    pause: float = 1  # seconds before the second attempt; doubled before each further one
    most_seconds: float = 3600  # of all attempts together
    sleep: Callable[[float], object] = time.sleep  # waits for so many seconds


class TransientError(Exception):
    """A retry may succeed."""


def read_small(url: str, most: int, web: Web) -> bytes:
    """Fetch a file of a few kilobytes.

    Raises Unreachable where it can't be fetched, Refused where it has more than `most` bytes.
    """

    def fetch(over: float) -> bytes:
        content = b""
        with opened_at(url, 0, web) as (stream, _):
            for chunk in _chunks(stream, over, web):
                content += chunk
                if len(content) > most:
                    break
            else:
                if left := getattr(stream, "length", 0):
                    raise TransientError(f"it ended {left} bytes before its end")
        return content

    content = _with_retries(url, web, fetch)
    if len(content) > most:
        raise Refused(f"{url}: expected at most {most} bytes, got more")
    return content


def download(url: str, part: Path, size: int, web: Web) -> None:
    """Fetch a file of so many bytes, resuming where an earlier attempt ended.

    `part` is its beginning, if it is there. Raises Unreachable where it can't be fetched, and the
    part that was received stays; Refused where it has another size; Failed where the disk has no
    room for it.
    """
    if part.is_file() and part.stat().st_size > size:
        part.unlink()
    need = size - (part.stat().st_size if part.is_file() else 0)
    if need > (free := shutil.disk_usage(part.parent).free):
        raise Failed(no_room(part.parent, need, free), NO_ROOM_HINT)

    def fetch(over: float) -> None:
        if (fetched := part.stat().st_size) == size:
            return
        with opened_at(url, fetched, web) as (stream, start), part.open("r+b", 0) as file:
            file.seek(start)
            file.truncate()
            for chunk in _chunks(stream, over, web):
                if file.tell() + len(chunk) > size:
                    raise Refused(f"{url}: expected {size} bytes, as signed, got more")
                _write(file, chunk)
        if part.stat().st_size < size:
            raise TransientError(f"it ended after {part.stat().st_size} of {size} bytes")

    part.touch()
    _with_retries(url, web, fetch)


def no_room(folder: Path, need: int, free: int) -> str:
    """That a folder's disk has too few bytes free."""
    return f"{folder}: expected {need / 1e6:,.1f} MB free, got {free / 1e6:,.1f} MB"


def _chunks(stream: BinaryIO, over: float, web: Web) -> Iterator[bytes]:
    """Yield chunks as they arrive; a server that sends too slowly is given up."""
    read = getattr(stream, "read1", stream.read)
    since, came = time.monotonic(), 0
    while chunk := read(CHUNK):
        now = time.monotonic()
        came += len(chunk)
        if now > over:
            raise TransientError("it takes too long")
        if now - since > web.window:
            if came < web.least:
                raise TransientError(
                    f"{came} bytes came in {now - since:.0f} s, fewer than {web.least}"
                )
            since, came = now, 0
        yield chunk


def _write(file: RawIOBase, chunk: bytes) -> None:
    """Write a whole chunk; Failed is raised where the disk is full, or fails.

    A plain OSError would count as the network's.
    """
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise Failed(f"the download can't be written: {error.strerror}", NO_ROOM_HINT) from error


def _with_retries(url: str, web: Web, fetch: Callable[[float], T]) -> T:
    """Call `fetch` with the time of the deadline, again after transient errors."""
    over = time.monotonic() + web.most_seconds
    for attempt in range(web.attempts):
        try:
            return fetch(over)
        except (TransientError, OSError, http.client.HTTPException) as error:
            pause = web.pause * 2**attempt
            last = attempt + 1 == web.attempts or time.monotonic() + pause > over
            if last or is_file(url):
                raise Unreachable(
                    f"{url} can't be fetched: {_words(error)}", _way_out(url, error)
                ) from error
            web.sleep(pause)
    raise AssertionError("there is at least one attempt")


def _way_out(url: str, error: Exception) -> str:
    """What to do about a source that can't be fetched."""
    if not is_file(url):
        return "Is it there, and is there a network?"
    if isinstance(error, TransientError):
        return "It is not the file that was signed: copy it here again."
    return "Is the name right, and is it where the service sees it: in no home, and not in /tmp?"


def _words(error: Exception) -> str:
    """What went wrong, in the system's words if it has any."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) if isinstance(cause, TransientError) else f"{type(cause).__name__} {cause}"


def beside(url: str, suffix: str) -> str:
    """The URL with a suffix on its path."""
    parts = urlsplit(url)
    return url + suffix if is_file(url) else parts._replace(path=parts.path + suffix).geturl()


def is_file(url: str) -> bool:
    """Whether it is a path, not a URL."""
    return "://" not in url


def check(url: str, insecure: bool) -> None:
    """Refuse, by WrongUse, other schemes, and HTTP without TLS to another machine."""
    parts = urlsplit(url)
    if is_file(url) or parts.scheme in ("https", "s3"):
        return
    if parts.scheme != "http":
        raise WrongUse(f"'{url}': expected https://, s3:// or a file, got {parts.scheme}://")
    if not insecure and parts.hostname not in LOOPBACK:
        raise WrongUse(
            f"'{url}': without TLS anyone on the way sees what is fetched, and can hold it up",
            "Use https://, or allow it: --insecure-http.",
        )


@contextmanager
def opened_at(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    """Open a stream at an offset; also return its real offset, 0 if a server ignores ranges."""
    check(url, web.insecure)
    scheme = urlsplit(url).scheme if not is_file(url) else ""
    with {"": _open_file, "s3": _open_s3}.get(scheme, _open_http)(url, start, web) as opened:
        yield opened


@contextmanager
def _open_file(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    with Path(url).open("rb") as file:
        file.seek(start)
        yield file, start


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Disables urllib's redirects, which read a redirect's whole body, whatever its size."""

    def http_error_302(self, *arguments: Any, **more: Any) -> None:
        """Leave the redirect to be raised as an HTTPError."""

    http_error_301 = http_error_303 = http_error_302
    http_error_307 = http_error_308 = http_error_302


def _redirected(url: str, to: str, insecure: bool) -> str:
    """The URL that a redirect leads to; WrongUse is raised for a file, and from HTTPS to HTTP."""
    where = quote(urljoin(url, to), encoding="iso-8859-1", safe=string.punctuation)
    scheme = urlsplit(where).scheme
    if scheme not in ("http", "https"):
        raise WrongUse(f"'{url}' leads to '{where}', which is no https:// address")
    if (urlsplit(url).scheme, scheme) == ("https", "http") and not insecure:
        raise WrongUse(f"'{url}' leads from https:// to '{where}', without TLS")
    check(where, insecure)
    return where


class _Watched(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections that a deadline watches."""

    def __init__(self, deadline: Deadline, context: ssl.SSLContext) -> None:
        super().__init__()
        self._deadline = deadline
        self._tls = context

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an http:// address, watched by the deadline."""
        return self.do_open(partial(WatchedHttp, self._deadline), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an https:// address, watched by the deadline."""
        return self.do_open(partial(WatchedHttps, self._deadline), req, context=self._tls)


@contextmanager
def _open_http(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    context = ssl.create_default_context()
    context.verify_flags |= NO_DATES
    deadline = Deadline(web.window)
    opener = urllib.request.build_opener(_Watched(deadline, context), _NoRedirects)
    try:
        with deadline:
            answer = _follow(opener, url, start, web)
    except ValueError as error:  # from urllib, and from encoding host names
        raise Unreachable(f"{url}: it is no address, or redirects to none: {error}") from error
    except HTTPError as error:
        said = f"the server says {error.code} {error.reason}"
        with error:
            if error.code in TRANSIENT:
                raise TransientError(said) from error
            if error.code == RANGE_IS_BEYOND:
                what = f"expected more than {start} bytes, as signed, got no more"
                raise Refused(f"{url}: {what}") from error
            raise Unreachable(f"{url}: {said}", "Is it there?") from error
    except (OSError, http.client.HTTPException) as error:
        if deadline.over:
            raise TransientError(f"no answer began within {web.window:g} s") from error
        raise
    with answer:
        sent = answer.headers.get("Content-Range", "")
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if goes_on and not sent.startswith(f"bytes {start}-"):
            raise Unreachable(f"{url}: asked for bytes from {start} on, got '{sent[:80]}'")
        yield answer, start if goes_on else 0


def _follow(opener: urllib.request.OpenerDirector, url: str, start: int, web: Web) -> Any:
    """The response to a request, after redirects."""
    headers, where = {"Range": f"bytes={start}-"} if start else {}, url
    for _ in range(MOST_REDIRECTS + 1):
        request = urllib.request.Request(where, headers=headers)  # noqa: S310 - checked before
        try:
            return opener.open(request, timeout=web.timeout)
        except HTTPError as error:
            to = error.headers.get("Location")
            if error.code not in REDIRECTS or not to:
                raise
            error.close()
            where = _redirected(where, to, web.insecure)
    raise Unreachable(f"{url} redirects too often", f"The last time to {where}.")


@contextmanager
def _open_s3(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise WrongUse(
            f"'{url}' can't be fetched: there is no boto3 here",
            "Use the bucket's https:// address: a device sees no packages beside its own.",
        ) from error
    parts = urlsplit(url)
    config = Config(connect_timeout=web.timeout, read_timeout=web.timeout)
    client = boto3.client("s3", config=config)
    more = {"Range": f"bytes={start}-"} if start else {}
    try:
        body = client.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"), **more)["Body"]
    except Exception as error:  # botocore's, of many classes; their messages name the cause
        raise TransientError(str(error)) from error
    with body:
        yield body, start
