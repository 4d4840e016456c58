"""One client's connection: bytes become requests in WSGI's form, and responses become bytes.

Nothing here blocks: a request is handed on once it is complete, so a client that stalls occupies a
socket and no thread. llhttp parses the requests, as it does for Node.js and uvicorn.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from onnxlet.edge.server.http_request import (
    END,
    KNOWN_HEADS,
    LONGEST_HEAD,
    LONGEST_KNOWN_HEAD,
    MOST_HEADERS,
    NAMES,
    BrokenBody,
    Environ,
    FirstLine,
    KnownHead,
    Request,
    fault_of,
    host_of,
    known_head,
    request_line,
    wsgi_name,
)
from onnxlet.edge.server.http_response import plain_response
from onnxlet.edge.server.sockets import Bytes, PlainHttp, Socket, rest_of
from onnxlet.function.errors import MalformedRequest

READ_BYTES = 1 << 16  # at once: small chunks in them take milliseconds
DROPPED_BYTES = 1 << 18  # at once, of what nobody parses
# Parts of a body that are read: each is a call of the parser's, whatever it holds.
MOST_PARTS, BYTES_OF_A_PART = 10_000, 4
SMALL_PARTS = partial(
    MalformedRequest,
    f"the body: expected at most {MOST_PARTS} parts, and one more for each {BYTES_OF_A_PART} bytes",
    "Send it in larger chunks, or as a whole with its Content-Length.",
)
MOST_PIPELINED = 100  # requests waiting on one connection; the last of them closes it
# Rough cost in memory of an environ beside its texts: of each header, and of all the rest.
HEADER_BYTES, HEAD_BYTES = 200, 1000
NO_TLS = "400 This Port Speaks TLS: Ask For https"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NOTHING: Environ = {"handed": "on"}  # not empty: an empty environ means an incomplete head
EMPTY = io.BytesIO()


class Enough(Exception):
    """Ends the parser's work: nothing behind this is read."""


class Connection:
    """One client's connection; only one thread uses it at a time. Its socket is non-blocking."""

    def __init__(
        self,
        sock: Socket,
        base: Mapping[str, Any],
        limit: int,
        takes_body: Callable[[Environ], bool] = lambda environ: True,
    ) -> None:
        self.socket = sock
        self._takes_body = takes_body  # whether a request's head deserves that its body is read
        self.requests: deque[Request] = deque()  # complete ones, in order of arrival
        self.outgoing: Bytes = b""  # bytes that the client has not taken yet
        self.due = b""  # bytes to send once the requests before it are answered
        # Busy: a request waits for its response, and nothing is read. Partial: a part of a request
        # has arrived. Closing: no request follows; it ends once everything is sent. Leaving: that
        # is so, and the client has yet to close.
        self.busy = self.partial = self.closing = self.leaving = False
        self.held = 0  # bytes of memory that its requests take
        # When a byte was last received or sent, and when the request that is being read began,
        # by `time.monotonic`.
        self.since = self.began = time.monotonic()
        self.mask = 0  # the selector's events that are waited for
        self._base = base  # entries of every request's environ
        # Bytes of a body that are read; a longer one is answered, and the connection closed.
        self._limit = limit
        self._parser = HttpRequestParser(self)
        self._environ: Environ = {}  # empty until the head is complete
        self._body = EMPTY
        # Bytes since the request began, or since the last part of its body: headers and trailers.
        self._dry: int | None = None
        self._read_again = False  # the parser reads a head again that was handled already
        self._handed = False  # the request that is being read was handed on already
        self._first = FirstLine()
        self._data = b""  # being parsed
        self._at = 0  # index in it, behind the latest request line
        self._here = False  # the request that is being read began in it
        self._starts = False  # that request is the first in it, from its first byte on
        self._heads: dict[bytes, KnownHead] = {}  # that this client has sent before

    @property
    def stalls(self) -> bool:
        """The client owes bytes: of a request that has begun, or of a TLS handshake."""
        return self.partial or getattr(self.socket, "shaking", False)

    def receive(self) -> bool:
        """Read what has arrived; False if the client is gone."""
        try:
            data = self.socket.recv(DROPPED_BYTES if self.closing else READ_BYTES)
        except BlockingIOError:
            return True
        except PlainHttp:
            self._reject(NO_TLS)
            return True
        except OSError:
            return False
        self.since = time.monotonic()
        if not data:
            return self._ended()
        if self._heads and self._goes_by_known_head(data):
            return True
        while data and not self.closing:  # once closing, it is a body that nobody reads
            data = self._feed(data)
        return True

    def _goes_by_known_head(self, data: bytes) -> bool:
        """Hand on a whole request whose head the parser has read before, byte for byte.

        Most clients send few different heads over a connection that is kept.
        """
        if self.partial or self.closing or self._first.goes_on:
            return False
        end = data.find(END, 0, LONGEST_KNOWN_HEAD) + len(END)
        head = self._heads.get(data[:end])
        if head is None or len(data) != end + head.length:
            return False
        self.began = self.since
        self.held += head.held + head.length
        environ = head.environ.copy()
        environ["wsgi.input"] = io.BytesIO(data[end:])
        self.requests.append(Request(environ, keep=True))
        return True

    def _remember_head(self) -> None:
        """Know this request's head again, where it came with its whole body and nothing else."""
        environ, headers = self._environ, len(self._headers)
        known = known_head(self._data, environ, self._size, headers, self._head_bytes)
        if known is not None:
            if len(self._heads) >= KNOWN_HEADS:
                self._heads.clear()
            self._heads[known[0]] = known[1]

    def _feed(self, data: bytes) -> bytes:
        """Parse; return what follows a request to upgrade to another protocol."""
        began = self.partial
        if self._first.goes_on and self._first.is_odd(data):
            self._reject("400 Bad Request")
            return b""
        self._data, self._at = data, 0
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            if not self.closing:
                self._decline()
            return data[upgrade.args[0] :]
        except HttpParserError:
            if not self.closing:  # else it ended its work itself
                self._break_off("400 Bad Request")
            return b""
        finally:
            self._data, self._here = b"", False
        if self.partial:
            if not self._environ:  # the parser keeps what there is of a head
                self.held += len(data)
                if not began and self._first.is_odd(data, begins=True):
                    self._reject("400 Bad Request")
                    return b""
            self._dry = 0 if self._dry is None else self._dry + len(data)
            if self._dry > LONGEST_HEAD:
                self._break_off("431 Request Header Fields Too Large")
        return b""

    def _decline(self) -> None:
        """Read the body of a request as if it had not asked to upgrade to another protocol.

        The parser takes what follows the head for that other protocol, so a fresh parser is fed a
        head with the same framing. Clients that prefer HTTP/2 send such requests: Java's do.
        """
        headers = self._headers
        framing = {
            "Content-Length": headers.get("CONTENT_LENGTH"),
            "Transfer-Encoding": headers.get("HTTP_TRANSFER_ENCODING"),
            "Connection": headers.get("HTTP_CONNECTION"),
        }
        lines = [f"{name}: {value}\r\n" for name, value in framing.items() if value is not None]
        head = f"POST / {self._environ['SERVER_PROTOCOL']}\r\n{''.join(lines)}\r\n"
        self._parser, self._read_again = HttpRequestParser(self), True
        self._parser.feed_data(head.encode("latin-1"))

    def _break_off(self, status: str) -> None:
        """Stop reading: the app refuses a request whose head is complete, else this refuses it."""
        if self.partial and self._environ and not self._handed:
            self._environ["wsgi.input"] = BrokenBody()
            self._hand_on(keep=False)
        else:
            self._reject(status)

    def _reject(self, status: str) -> None:
        if not self.closing:
            self.due = plain_response(status)
        self.partial, self.closing = False, True

    def _ended(self) -> bool:
        """The client sends no more; hand on an incomplete request, so that it is refused."""
        if self.partial:
            self.cut_short()
        self.closing, self.partial = True, False
        return bool(self.requests or self.outgoing or self.due)

    def cut_short(self) -> None:
        """Hand on the part of a request that is there, and read no more of it."""
        if self._environ and not self._handed:
            self._finish_body()
            if "CONTENT_LENGTH" not in self._environ:  # else nothing shows that it is incomplete
                self._environ["wsgi.input"] = BrokenBody()
            self._hand_on(keep=False)

    def send(self, data: bytes) -> bool:
        """Send what the client takes now and keep the rest; False if it is gone."""
        whole: Bytes = data
        if self.outgoing:
            whole = b"".join((self.outgoing, data)) if data else self.outgoing
        try:
            sent = self.socket.send(whole) if whole else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        self.outgoing = b"" if sent == len(whole) else rest_of(whole, sent)
        if sent:
            self.since = time.monotonic()
        return True

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._read_again:
            return
        if self.closing:
            raise Enough
        self.partial, self._handed = True, False
        self._here = True
        self._dry = None
        self.began = self.since
        self._url = b""
        self._length = self._lines = 0  # of the head, in bytes and headers
        self._headers: Environ = {}
        self._environ = {}
        self._size = self._parts = 0  # of the body: bytes, and how many parts they came in

    def on_url(self, url: bytes) -> None:
        """Part of the request target."""
        if self._read_again:
            return
        self._url += url
        self._length += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; repeated ones are joined (RFC 9110, 5.3)."""
        if self._read_again:
            return
        self._length += len(name) + len(value)
        self._lines += 1
        if self._lines > MOST_HEADERS:
            self._break_off("431 Request Header Fields Too Large")
            raise Enough
        if self._environ:
            return  # a trailer
        key = NAMES.get(name) or wsgi_name(name)
        text = value.rstrip().decode("latin-1")
        if key in self._headers:
            text = f"{self._headers[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._read_again:
            self._read_again = False
            return
        headers, parser = self._headers, self._parser
        headers.pop("", None)  # underscores, which WSGI can't distinguish from hyphens
        headers.pop("HTTP_UPGRADE", None)  # never done
        length = headers.get("CONTENT_LENGTH", "0")
        if length[0] == "0" and length != "0":  # zeros before a number
            headers["CONTENT_LENGTH"] = length = length.lstrip("0") or "0"
        if not self._url.startswith(b"/") and "HTTP_HOST" in headers:
            headers["HTTP_HOST"] = host_of(self._url) or headers["HTTP_HOST"]
        environ = self._environ = {**self._base, **headers}
        version = parser.get_http_version()
        line = request_line(parser.get_method(), self._url, version)
        whole, environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"] = line[:3]
        environ["PATH_INFO"], environ["QUERY_STRING"] = line.path, line.query
        self._head_bytes = HEAD_BYTES + HEADER_BYTES * len(headers) + self._length  # of memory
        self.held += self._head_bytes
        fault = fault_of(headers, line.method, self._url, version, self._length, self._lines)
        if self._here and not fault:
            self._at = self._data.find(whole, self._at) + len(whole)
            self._starts = self._at == len(whole)
            fault = "" if self._at >= len(whole) else "400 Bad Request"
        if fault:
            self._reject(fault)
        elif int(length) > self._limit or self._refuses_body(length):
            environ["wsgi.input"] = io.BytesIO()  # its head is enough to refuse it
            self._hand_on(keep=False)
        elif headers.get("HTTP_EXPECT", "").lower() == "100-continue" and version == "1.1":
            self.due = CONTINUE

    def _refuses_body(self, length: str) -> bool:
        """Whether a body is to come that has not arrived with its head, and nobody would read it.

        One that has arrived costs less than the look: then the app refuses it by itself.
        """
        here = len(self._data) - self._at if self._here else 0
        comes = "HTTP_TRANSFER_ENCODING" in self._environ or int(length) > here
        return comes and not self._takes_body(self._environ)

    def on_body(self, part: bytes) -> None:
        """Part of the body."""
        self._dry = None
        if self.closing:
            raise Enough
        self._parts += 1
        if self._size:
            self._body.seek(self._size)
            self._body.write(part)
        else:
            self._body = io.BytesIO(part)  # without a copy: most bodies come in one part
        self._size += len(part)
        self.held += len(part)
        if self._size > self._limit:
            self._finish_body()
            self._hand_on(keep=False)
        elif self._parts > MOST_PARTS + self._size // BYTES_OF_A_PART:
            self._environ["wsgi.input"] = BrokenBody(SMALL_PARTS)
            self._hand_on(keep=False)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._parser.should_upgrade() and self._environ.get("REQUEST_METHOD") != "CONNECT":
            return  # its body is still to come
        if not self._handed:
            self._finish_body()
            keep = self._parser.should_keep_alive()
            if keep and self._here and self._starts:
                self._remember_head()
            self._hand_on(keep)
        self.partial = False

    def _finish_body(self) -> None:
        body = self._body if self._size else io.BytesIO()
        if body.tell():  # there was more than one part
            body.getvalue()  # drops the buffer's spare capacity, so that reading copies nothing
            body.seek(0)
        self._environ["wsgi.input"] = body

    def _hand_on(self, keep: bool) -> None:
        if not self.closing:
            keep = keep and len(self.requests) < MOST_PIPELINED - 1
            keep = keep and self._environ["REQUEST_METHOD"] != "CONNECT"
            self.requests.append(Request(self._environ, keep))
            self._handed = True
            self.closing = not keep
            self.due = b""
            self._environ, self._body = NOTHING, EMPTY  # the connection must not keep a body alive

    def close(self) -> None:
        """Close the socket and free memory now: parser and connection refer to each other."""
        self.socket.close()
        self.__dict__.pop("_parser", None)
        self._heads.clear()
        self.requests.clear()
        self.outgoing = self.due = b""
        self._environ, self._body = NOTHING, EMPTY
