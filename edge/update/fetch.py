"""Fetch from HTTPS, S3 or a file: resumed, capped, with a limit to waiting and to trying again.

What comes is not trusted yet, whoever sends it. So the certificate of an HTTPS server is checked,
but not its dates: a device without a clock would believe them over for ever, or not begun.
"""

from __future__ import annotations

import http.client
import shutil
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, TypeVar
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

from edge.update.errors import Failed, Refused, Unreachable, WrongUse

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NO_DATES = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
CHUNK = 1 << 18  # bytes
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be others soon
RANGE_IS_BEYOND = 416
ROOM = "Make room there; what serves is as it was."


T = TypeVar("T")


class Web(NamedTuple):
    """How patient fetching is.

    Attributes:
        insecure: HTTP without TLS is allowed, beyond this machine too.
        timeout: seconds without a byte until it is tried again.
        attempts: in all.
        pause: seconds before the second attempt; each further one waits twice as long.
        most_seconds: of all attempts together.
        sleep: waits so many seconds.
    """

    insecure: bool = False
    timeout: float = 20
    attempts: int = 6
    pause: float = 1
    most_seconds: float = 3600
    sleep: Callable[[float], object] = time.sleep


class _Passing(Exception):
    """It may work the next time."""


def beside(url: str, suffix: str) -> str:
    """The address of the file whose name has this at its end, too."""
    parts = urlsplit(url)
    return url + suffix if _is_file(url) else parts._replace(path=parts.path + suffix).geturl()


def _is_file(url: str) -> bool:
    return "://" not in url


def check(url: str, insecure: bool) -> None:
    """Refuse addresses that are not fetched from.

    Raises:
        WrongUse: another scheme, or HTTP without TLS beyond this machine.
    """
    parts = urlsplit(url)
    if _is_file(url) or parts.scheme in ("https", "s3"):
        return
    if parts.scheme != "http":
        raise WrongUse(f"'{url}': expected https://, s3:// or a file, got {parts.scheme}://")
    if not insecure and parts.hostname not in LOOPBACK:
        raise WrongUse(
            f"'{url}': without TLS anyone on the way sees what is fetched, and can hold it up",
            "Use https://, or allow it: --insecure-http.",
        )


def read_small(url: str, most: int, web: Web) -> bytes:
    """Fetch a file of a few kilobytes.

    Raises:
        Unreachable: it can't be had.
        Refused: it is larger than that.
    """

    def once(over: float) -> bytes:
        content = b""
        with _opened(url, 0, web) as (stream, _):
            for chunk in _chunks(stream, over):
                content += chunk
                if len(content) > most:
                    break
            else:
                if left := getattr(stream, "length", 0):
                    raise _Passing(f"it ended {left} bytes before its end")
        return content

    content = _patiently(url, web, once)
    if len(content) > most:
        raise Refused(f"{url}: expected at most {most} bytes, got more")
    return content


def download(url: str, part: Path, size: int, web: Web) -> None:
    """Fetch a file into a folder, going on where an earlier attempt ended.

    Args:
        url: of the file.
        part: the file to write; what is there is the beginning of it.
        size: bytes that it has.
        web: how patient to be.

    Raises:
        Unreachable: it can't be had; what came of it stays.
        Refused: it has more bytes, or less.
        Failed: there is no room for it.
    """
    if part.is_file() and part.stat().st_size > size:
        part.unlink()
    need = size - (part.stat().st_size if part.is_file() else 0)
    if need > (free := shutil.disk_usage(part.parent).free):
        raise Failed(f"{part.parent}: expected {need} bytes free, got {free}", ROOM)

    def once(over: float) -> None:
        if (fetched := part.stat().st_size) == size:
            return
        with _opened(url, fetched, web) as (stream, start), part.open("r+b", 0) as file:
            file.seek(start)
            file.truncate()
            for chunk in _chunks(stream, over):
                if file.tell() + len(chunk) > size:
                    raise Refused(f"{url}: expected {size} bytes, as signed, got more")
                _write(file, chunk)
        if part.stat().st_size < size:
            raise _Passing(f"it ended after {part.stat().st_size} of {size} bytes")

    part.touch()
    _patiently(url, web, once)


def _chunks(stream: BinaryIO, over: float) -> Iterator[bytes]:
    """What comes, as it comes: a server that sends drops does not go on for ever."""
    read = getattr(stream, "read1", stream.read)
    while chunk := read(CHUNK):
        if time.monotonic() > over:
            raise _Passing("it takes too long")
        yield chunk


def _write(file: RawIOBase, chunk: bytes) -> None:
    """Write all of it.

    Raises:
        Failed: the card is full, or fails; that is no fault of the network.
    """
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise Failed(f"the download can't be written: {error.strerror}", ROOM) from error


def _patiently(url: str, web: Web, once: Callable[[float], T]) -> T:
    """Try, and try again while that may help."""
    over = time.monotonic() + web.most_seconds
    for attempt in range(web.attempts):
        try:
            return once(over)
        except (_Passing, OSError, http.client.HTTPException) as error:
            told = f"{type(error).__name__} {error}" if not isinstance(error, _Passing) else error
            pause = web.pause * 2**attempt
            last = attempt + 1 == web.attempts or time.monotonic() + pause > over
            if last or _is_file(url):
                raise Unreachable(
                    f"{url} can't be fetched: {told}", "Is it there, and is there a network?"
                ) from error
            web.sleep(pause)
    raise AssertionError("there is at least one attempt")


@contextmanager
def _opened(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    """The bytes from a place on, and which place that is: 0 where a server sends all."""
    check(url, web.insecure)
    scheme = urlsplit(url).scheme if not _is_file(url) else ""
    with {"": _open_file, "s3": _open_s3}.get(scheme, _open_http)(url, start, web) as opened:
        yield opened


@contextmanager
def _open_file(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    with Path(url).open("rb") as file:
        file.seek(start)
        yield file, start


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to where fetching is allowed."""

    def __init__(self, insecure: bool) -> None:
        self._insecure = insecure

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse to be led from HTTPS to HTTP, or to a file."""
        where = urljoin(req.full_url, newurl)
        if urlsplit(where).scheme not in ("http", "https"):
            raise WrongUse(f"'{req.full_url}' leads to '{where}', which is no https:// address")
        check(where, self._insecure)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _open_http(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    context = ssl.create_default_context()
    context.verify_flags |= NO_DATES
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _Redirects(web.insecure)
    )
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - `check` saw the scheme
    try:
        answer = opener.open(request, timeout=web.timeout)
    except HTTPError as error:
        with error:
            _tell(url, error, start)
    with answer:
        sent = answer.headers.get("Content-Range", "")
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if goes_on and not sent.startswith(f"bytes {start}-"):
            raise Unreachable(f"{url}: asked for bytes from {start} on, got '{sent[:80]}'")
        yield answer, start if goes_on else 0


def _tell(url: str, error: HTTPError, start: int) -> NoReturn:
    if error.code in PASSING:
        raise _Passing(f"the server says {error.code} {error.reason}")
    if error.code == RANGE_IS_BEYOND:
        raise Refused(f"{url}: expected more than {start} bytes, as signed, got no more")
    raise Unreachable(f"{url}: the server says {error.code} {error.reason}", "Is it there?")


@contextmanager
def _open_s3(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise WrongUse(
            f"'{url}' can't be fetched: there is no boto3 here",
            "Install it (apt-get install python3-boto3), or use the bucket's https:// address.",
        ) from error
    parts = urlsplit(url)
    config = Config(connect_timeout=web.timeout, read_timeout=web.timeout)
    client = boto3.client("s3", config=config)
    more = {"Range": f"bytes={start}-"} if start else {}
    try:
        body = client.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"), **more)["Body"]
    except Exception as error:  # botocore's, of many classes; their words name the cause
        raise _Passing(str(error)) from error
    with body:
        yield body, start
