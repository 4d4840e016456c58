"""Where updates come from: HTTPS, S3 or a file, opened at a place; and where they may not.

What comes is not trusted yet, whoever sends it. So the certificate of an HTTPS server is checked,
but not its dates: a device without a clock would believe them over for ever, or not begun.
"""

from __future__ import annotations

import http.client
import ssl
import string
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn
from urllib.error import HTTPError
from urllib.parse import quote, urljoin, urlsplit

from onnxlet.edge.net.socket_deadline import Deadline, WatchedHttp, WatchedHttps
from onnxlet.edge.net.trust import NO_DATES
from onnxlet.edge.update.errors import Refused, Unreachable, WrongUse

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be others soon
RANGE_IS_BEYOND = 416
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5


class Web(NamedTuple):
    """How patient fetching is.

    Attributes:
        insecure: HTTP without TLS is allowed, beyond this machine too.
        timeout: seconds without a byte until it is tried again.
        window: seconds within which an answer has to begin, and `least` of it to come.
        least: bytes in each window until its end.
        attempts: in all.
        pause: seconds before the second attempt; each further one waits twice as long.
        most_seconds: of all attempts together.
        sleep: waits so many seconds.
    """

    insecure: bool = False
    timeout: float = 20
    window: float = 60
    least: int = 10_000
    attempts: int = 6
    pause: float = 1
    most_seconds: float = 3600
    sleep: Callable[[float], object] = time.sleep


class Passing(Exception):
    """It may work the next time."""


def beside(url: str, suffix: str) -> str:
    """The address of the file whose name has this at its end, too."""
    parts = urlsplit(url)
    return url + suffix if is_file(url) else parts._replace(path=parts.path + suffix).geturl()


def is_file(url: str) -> bool:
    """Whether it is a path, not an address."""
    return "://" not in url


def check(url: str, insecure: bool) -> None:
    """Refuse addresses that are not fetched from.

    Raises:
        WrongUse: another scheme, or HTTP without TLS beyond this machine.
    """
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
    """The bytes from a place on, and which place that is: 0 where a server sends all."""
    check(url, web.insecure)
    scheme = urlsplit(url).scheme if not is_file(url) else ""
    with {"": _open_file, "s3": _open_s3}.get(scheme, _open_http)(url, start, web) as opened:
        yield opened


@contextmanager
def _open_file(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    with Path(url).open("rb") as file:
        file.seek(start)
        yield file, start


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows nowhere by itself: it would read all that comes with a redirect, whatever size."""

    def http_error_302(self, *told: Any, **more: Any) -> None:
        """Have it raised, as errors are."""

    http_error_301 = http_error_303 = http_error_302
    http_error_307 = http_error_308 = http_error_302


def _led(url: str, to: str, insecure: bool) -> str:
    """Where a server leads to.

    Raises:
        WrongUse: to a file, or from HTTPS to HTTP.
    """
    where = quote(urljoin(url, to), encoding="iso-8859-1", safe=string.punctuation)
    scheme = urlsplit(where).scheme
    if scheme not in ("http", "https"):
        raise WrongUse(f"'{url}' leads to '{where}', which is no https:// address")
    if (urlsplit(url).scheme, scheme) == ("https", "http") and not insecure:
        raise WrongUse(f"'{url}' leads from https:// to '{where}', without TLS")
    check(where, insecure)
    return where


class _Watched(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections that a deadline watches over."""

    def __init__(self, deadline: Deadline, context: ssl.SSLContext) -> None:
        super().__init__()
        self._deadline = deadline
        self._tls = context

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Without TLS."""
        return self.do_open(partial(WatchedHttp, self._deadline), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """With TLS."""
        return self.do_open(partial(WatchedHttps, self._deadline), req, context=self._tls)


@contextmanager
def _open_http(url: str, start: int, web: Web) -> Iterator[tuple[BinaryIO, int]]:
    context = ssl.create_default_context()
    context.verify_flags |= NO_DATES
    deadline = Deadline(web.window)
    opener = urllib.request.build_opener(_Watched(deadline, context), _Stays)
    try:
        with deadline:
            answer = _follow(opener, url, start, web)
    except ValueError as error:  # of urllib and of the names' encoding
        raise Unreachable(f"{url}: it is no address, or leads to none: {error}") from error
    except HTTPError as error:
        with error:
            _tell(url, error, start)
    except (OSError, http.client.HTTPException) as error:
        if deadline.over:
            raise Passing(f"no answer began within {web.window:g} s") from error
        raise
    with answer:
        sent = answer.headers.get("Content-Range", "")
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if goes_on and not sent.startswith(f"bytes {start}-"):
            raise Unreachable(f"{url}: asked for bytes from {start} on, got '{sent[:80]}'")
        yield answer, start if goes_on else 0


def _follow(opener: urllib.request.OpenerDirector, url: str, start: int, web: Web) -> Any:
    """The answer of who is asked, or of whom that leads to."""
    headers, where = {"Range": f"bytes={start}-"} if start else {}, url
    for _ in range(MOST_REDIRECTS + 1):
        request = urllib.request.Request(where, headers=headers)  # noqa: S310 - it was checked
        try:
            return opener.open(request, timeout=web.timeout)
        except HTTPError as error:
            to = error.headers.get("Location")
            if error.code not in REDIRECTS or not to:
                raise
            error.close()
            where = _led(where, to, web.insecure)
    raise Unreachable(f"{url} leads on and on", f"At last to {where}.")


def _tell(url: str, error: HTTPError, start: int) -> NoReturn:
    if error.code in PASSING:
        raise Passing(f"the server says {error.code} {error.reason}")
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
        raise Passing(str(error)) from error
    with body:
        yield body, start
