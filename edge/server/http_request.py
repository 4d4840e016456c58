"""One request: whole, as WSGI has it; its head, and what RFC 9112 forbids there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from onnxlet.function.errors import SAME_HEAD

Environ = dict[str, Any]

LONGEST_HEAD = 1 << 16  # bytes; also of what is between two parts of a body, or behind it
MOST_HEADERS = 200
VERSIONS = ("1.1", "1.0")
NO_HTTP = (b" RTSP/", b" ICE/")
ENDS = {version: f" HTTP/{version}\r\n".encode() for version in VERSIONS}
VERSION_BYTES = 12  # a line's last bytes, which hold the protocol and its version
HOST = re.compile(r"[^\s,/?#@\\]*")  # one comma means two headers
AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
KNOWN_LINES, LONGEST_KNOWN_URL = 500, 200  # request lines that are remembered, bytes of their URL
END = b"\r\n\r\n"  # of a head
# Heads of one connection that are remembered; bytes and headers of each. 512 connections have at
# most 20 MB of them.
KNOWN_HEADS, LONGEST_KNOWN_HEAD, KNOWN_HEADERS = 4, 2_000, 32
# With which a head is not all that there is to a request's framing.
ODD_HEADERS = ("HTTP_TRANSFER_ENCODING", "HTTP_EXPECT")
KNOWN_NAMES = 500  # header names whose form in WSGI is remembered
NAMES: dict[bytes, str] = {b"Content-Type": "CONTENT_TYPE", b"Content-Length": "CONTENT_LENGTH"}


class Request(NamedTuple):
    """One request."""

    environ: Environ  # WSGI's, with the whole body
    keep: bool  # the client wants to keep the connection open


class KnownHead(NamedTuple):
    """What the parser made of a head."""

    environ: Environ  # of its requests, but for their body
    length: int  # of the body, in bytes
    held: int  # bytes of memory that it takes


def known_head(
    data: bytes, environ: Environ, size: int, headers: int, held: int
) -> tuple[bytes, KnownHead] | None:
    """A request's head, and what is known of it; None where it is not to be known again.

    It is where the head came with its whole body, of so many bytes, and nothing else.
    """
    end = data.find(END, 0, LONGEST_KNOWN_HEAD) + len(END)
    whole = len(data) == end + size and headers <= KNOWN_HEADERS
    if not whole or not environ.keys().isdisjoint(ODD_HEADERS):
        return None
    return data[:end], KnownHead({**environ, "wsgi.input": None, SAME_HEAD: {}}, size, held)


NOT_AS_ANNOUNCED = partial(
    ConnectionError, "the body does not have the form that its head announces"
)


class BrokenBody(io.RawIOBase):
    """Stands for a body that broke off: reading it raises."""

    def __init__(self, why: Callable[[], Exception] = NOT_AS_ANNOUNCED) -> None:
        self._why = why  # makes the error

    def read(self, size: int = -1) -> bytes:
        """Refuse to be read: the error is raised."""
        raise self._why()


def fault_of(
    headers: Mapping[str, str], method: str, url: bytes, version: str, length: int, lines: int
) -> str:
    """The status line of the error that a head deserves by RFC 9112; empty if it is valid.

    Headers have their names of a WSGI environ, the URL is unparsed, the head has so many bytes and
    headers.
    """
    if length > LONGEST_HEAD or lines > MOST_HEADERS:
        return "431 Request Header Fields Too Large"
    if version not in VERSIONS:
        return "505 HTTP Version Not Supported"
    host = headers.get("HTTP_HOST", "," if version == "1.1" else "")
    if not HOST.fullmatch(host):
        return "400 Bad Request"
    if not (url.startswith(b"/") or _is_other_target(method, url)):
        return "400 Bad Request"
    coding = headers.get("HTTP_TRANSFER_ENCODING")
    if coding is None:
        return ""
    if version == "1.0":  # which has none: a proxy in between may have framed it differently
        return "400 Bad Request"
    return "" if coding.lower() == "chunked" else "501 Not Implemented"


def _is_other_target(method: str, url: bytes) -> bool:
    """An absolute URL, or the special forms of CONNECT and OPTIONS (RFC 9112, 3.2)."""
    other = method == "CONNECT" or (method == "OPTIONS" and url == b"*")
    return other or host_of(url) is not None


def wsgi_name(name: bytes) -> str:
    """A header's name in a WSGI environ; empty for one that has none there."""
    if b"_" in name:
        return ""
    upper = name.decode("latin-1").upper().replace("-", "_")
    key = upper if upper in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{upper}"
    if len(NAMES) < KNOWN_NAMES and len(name) < 100:
        NAMES[name] = key
    return key


def target_of(url: bytes) -> tuple[str, str]:
    """Path and query as WSGI has them: bytes as Latin-1, the path percent-decoded."""
    text = url.decode("latin-1").partition("#")[0]
    if not text.startswith("/"):  # http://host/path, or *, or host:port
        whole = AUTHORITY.match(text)
        rest = text[whole.end() :] if whole else text
        text = rest if rest.startswith("/") or not whole else f"/{rest}"
    path, _, query = text.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return path, query


def host_of(url: bytes) -> str | None:
    """The host in an absolute URL, which overrides the header; None for a path."""
    found = None if url.startswith(b"/") else AUTHORITY.match(url.decode("latin-1"))
    return found[1] if found else None


class RequestLine(NamedTuple):
    """A request line, as WSGI has its parts."""

    whole: bytes  # as RFC 9112 writes it, with two single spaces; empty for an unknown version
    method: str
    protocol: str  # with its version
    path: str  # percent-decoded, bytes as Latin-1
    query: str  # bytes as Latin-1


def request_line(method: bytes, url: bytes, version: str) -> RequestLine:
    """The request line that has these parts; most clients send few different ones.

    The URL is unparsed.
    """
    known = len(url) < LONGEST_KNOWN_URL
    return _known_line(method, url, version) if known else _line(method, url, version)


def _line(method: bytes, url: bytes, version: str) -> RequestLine:
    whole = method + b" " + url + ENDS[version] if version in VERSIONS else b""
    return RequestLine(whole, method.decode(), f"HTTP/{version}", *target_of(url))


_known_line = lru_cache(KNOWN_LINES)(_line)


class FirstLine:
    """Checks request lines that arrive in pieces for what llhttp tolerates.

    That is two spaces, where a proxy may take the second for a part of the URL, and protocols like
    HTTP. A line that arrives in one piece is compared with `request_line` instead.
    """

    def __init__(self) -> None:
        self.goes_on = False  # a line has begun and is incomplete
        self._last = b""  # its latest bytes

    def is_odd(self, data: bytes, begins: bool = False) -> bool:
        """Whether the request line has a fault so far, with bytes that have just arrived.

        They may be the first of a request.
        """
        before = b"" if begins else self._last
        line = before + data if before else data.lstrip(b"\r\n")
        end = line.find(b"\n")
        self.goes_on = end < 0
        self._last = line[-VERSION_BYTES:] if self.goes_on else b""
        end = len(line) if end < 0 else end
        version = line[max(0, end - VERSION_BYTES) : end]
        return line.find(b"  ", 0, end) >= 0 or any(name in version for name in NO_HTTP)
