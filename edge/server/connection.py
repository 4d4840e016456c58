"""One client's connection: bytes become requests in WSGI's form, and answers become bytes.

Nothing here waits: a request is handed on when it is there whole, so that a client that stalls
holds a socket and no thread. llhttp reads the requests, as it does for Node.js and uvicorn.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from onnxlet.edge.server.http_head import (
    LONGEST_HEAD,
    MOST_HEADERS,
    NAMES,
    FirstLine,
    fault_of,
    host_of,
    request_line,
    target_of,
    wsgi_name,
)
from onnxlet.edge.server.sockets import Bytes, PlainHttp, Socket, rest_of

Environ = dict[str, Any]

READ_BYTES = 1 << 18
MOST_AT_ONCE = 100  # requests that wait on one connection; the last of them ends it
HEADER_BYTES, HEAD_BYTES = 200, 1000  # that an environ takes, about, beside what its texts have
NO_TLS = "400 This Port Speaks TLS: Ask For https"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NOTHING: Environ = {"handed": "on"}
EMPTY = io.BytesIO()


def plain(status: str) -> bytes:
    """An answer to what is no request; the connection ends with it."""
    text = f"{status}\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
    return f"{head}Connection: close\r\n\r\n{text}".encode()


class Request(NamedTuple):
    """One request.

    Attributes:
        environ: of WSGI, its body whole.
        keep: the client goes on with this connection.
    """

    environ: Environ
    keep: bool


class Broken(io.RawIOBase):
    """Stands for a body that broke off; who reads it is told so."""

    def read(self, size: int = -1) -> bytes:
        """Raise.

        Raises:
            ConnectionError: always.
        """
        raise ConnectionError("the body is not in the form that its head tells")


class Connection:
    """One client's connection; one thread has it at a time.

    Args:
        sock: connected; it will not block.
        base: what every request's environ has.
        limit: bytes of a body that are read; who sends more is answered and let go.

    Attributes:
        requests: those that are whole, in the order that they came in.
        outgoing: what the client has not taken yet.
        busy: a request waits for its answer, and nothing is read.
        partial: some of a request is there.
        closing: no request follows; the connection ends when everything is sent.
        leaving: everything is sent, and the client has still to end it.
        held: bytes of requests that are held.
        due: what is sent when the requests before it are answered.
        since: when a byte came or went last, on the clock of `time.monotonic`.
        began: when the request that is being read did.
        mask: the events that are waited for.
    """

    def __init__(self, sock: Socket, base: Mapping[str, Any], limit: int) -> None:
        self.socket = sock
        self.requests: deque[Request] = deque()
        self.outgoing: Bytes = b""
        self.due = b""
        self.busy = self.partial = self.closing = self.leaving = False
        self.held = 0
        self.since = self.began = time.monotonic()
        self.mask = 0
        self._base = base
        self._limit = limit
        self._parser = HttpRequestParser(self)
        self._environ: Environ = {}  # empty until the head is whole
        self._body = EMPTY
        self._dry: int | None = None  # bytes since it began, or since the last part of its body
        self._read_again = False  # the head is one that is known already
        self._handed = False  # the request that is being read needs no more of its body
        self._first = FirstLine()
        self._data = b""  # that is being read
        self._at = 0  # in there, behind the first line that was read last
        self._here = False  # the request that is being read began in there

    @property
    def stalls(self) -> bool:
        """A byte is due: a request has begun, or a handshake."""
        return self.partial or getattr(self.socket, "shaking", False)

    def receive(self) -> bool:
        """Read what has come; whether the client is still there."""
        try:
            data = self.socket.recv(READ_BYTES)
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
        while data and not self.closing:  # else the rest of a body that nobody wants
            data = self._feed(data)
        return True

    def _feed(self, data: bytes) -> bytes:
        """Parse; what is left is behind a request for another protocol."""
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
            self._break_off("400 Bad Request")
            return b""
        finally:
            self._data, self._here = b"", False
        if self.partial:
            if not self._environ:  # its head is not whole, and what there is of it is kept, too
                self.held += len(data)
                if not began and self._first.is_odd(data, begins=True):
                    self._reject("400 Bad Request")
                    return b""
            self._dry = 0 if self._dry is None else self._dry + len(data)
            if self._dry > LONGEST_HEAD:
                self._break_off("431 Request Header Fields Too Large")
        return b""

    def _decline(self) -> None:
        """Read the body of a request as if it had not asked for another protocol.

        The parser believes that what follows the head is of that other one. Clients that would
        like HTTP/2 send such requests, too, Java's among them.
        """
        told = self._headers
        framing = {
            "Content-Length": told.get("CONTENT_LENGTH"),
            "Transfer-Encoding": told.get("HTTP_TRANSFER_ENCODING"),
            "Connection": told.get("HTTP_CONNECTION"),
        }
        lines = [f"{name}: {value}\r\n" for name, value in framing.items() if value is not None]
        head = f"POST / {self._environ['SERVER_PROTOCOL']}\r\n{''.join(lines)}\r\n"
        self._parser, self._read_again = HttpRequestParser(self), True
        self._parser.feed_data(head.encode("latin-1"))

    def _break_off(self, status: str) -> None:
        """Nothing more can be read: the app refuses a request that has begun to come."""
        if self.partial and self._environ and not self._handed:
            self._environ["wsgi.input"] = Broken()
            self._hand_on(keep=False)
        else:
            self._reject(status)

    def _reject(self, status: str) -> None:
        if not self.closing:
            self.due = plain(status)
        self.partial, self.closing = False, True

    def _ended(self) -> bool:
        """The client sends no more: a body that lacks something is told to it as such."""
        if self.partial:
            self.cut_short()
        self.closing, self.partial = True, False
        return bool(self.requests or self.outgoing or self.due)

    def cut_short(self) -> None:
        """Hand on what there is of a request, and read no more of it."""
        if self._environ and not self._handed:
            self._finish_body()
            if "CONTENT_LENGTH" not in self._environ:  # nothing else tells that some lacks
                self._environ["wsgi.input"] = Broken()
            self._hand_on(keep=False)

    def send(self, data: bytes) -> bool:
        """Send what the client takes now and keep the rest; whether it is still there."""
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

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._read_again:
            return
        self.partial, self._handed = True, False
        self._here = True
        self._dry = None
        self.began = self.since
        self._url = b""
        self._length = self._lines = 0  # of the head, in bytes and headers
        self._headers: Environ = {}
        self._environ = {}
        self._size = 0  # of the body, in bytes

    def on_url(self, url: bytes) -> None:
        """Some of its target."""
        if self._read_again:
            return
        self._url += url
        self._length += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; lines of one name are one header, as RFC 9110 has it."""
        if self._read_again:
            return
        self._length += len(name) + len(value)
        self._lines += 1
        if self._environ or self._lines > MOST_HEADERS:
            return  # a trailer; or refused
        key = NAMES.get(name) or wsgi_name(name)
        text = value.rstrip().decode("latin-1")
        if key in self._headers:
            text = f"{self._headers[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._read_again:
            self._read_again = False
            return
        headers, parser = self._headers, self._parser
        headers.pop("", None)  # names with an underscore, which WSGI can't tell from others
        headers.pop("HTTP_UPGRADE", None)  # which is not done
        length = headers.get("CONTENT_LENGTH", "0")
        if length[0] == "0" and length != "0":  # zeros before a number
            headers["CONTENT_LENGTH"] = length = length.lstrip("0") or "0"
        if not self._url.startswith(b"/") and "HTTP_HOST" in headers:
            headers["HTTP_HOST"] = host_of(self._url) or headers["HTTP_HOST"]
        environ = self._environ = {**self._base, **headers}
        version, method = parser.get_http_version(), parser.get_method()
        environ["REQUEST_METHOD"] = method.decode()
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        environ["PATH_INFO"], environ["QUERY_STRING"] = target_of(self._url)
        self.held += HEAD_BYTES + HEADER_BYTES * len(headers) + self._length
        name = environ["REQUEST_METHOD"]
        fault = fault_of(headers, name, self._url, version, self._length, self._lines)
        if self._here and not fault:
            line = request_line(method, self._url, version)
            self._at = self._data.find(line, self._at) + len(line)
            fault = "" if self._at >= len(line) else "400 Bad Request"
        if fault:
            self._reject(fault)
        elif int(length) > self._limit:
            environ["wsgi.input"] = io.BytesIO()  # what is told of it is enough to refuse it
            self._hand_on(keep=False)
        elif headers.get("HTTP_EXPECT", "").lower() == "100-continue" and version == "1.1":
            self.due = CONTINUE

    def on_body(self, part: bytes) -> None:
        """Some of its body."""
        self._dry = None
        if self._handed:
            return
        if self._size:
            self._body.seek(self._size)
            self._body.write(part)
        else:
            self._body = io.BytesIO(part)  # nothing is copied: most bodies come in one part
        self._size += len(part)
        self.held += len(part)
        if self._size > self._limit:
            self._finish_body()
            self._hand_on(keep=False)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._parser.should_upgrade() and self._environ.get("REQUEST_METHOD") != "CONNECT":
            return  # its body is still to come
        if not self._handed:
            self._finish_body()
            self._hand_on(self._parser.should_keep_alive())
        self.partial = False

    def _finish_body(self) -> None:
        body = self._body if self._size else io.BytesIO()
        if body.tell():  # there was more than one part
            body.getvalue()  # gives back what it had grown by in advance: reading copies nothing
            body.seek(0)
        self._environ["wsgi.input"] = body

    def _hand_on(self, keep: bool) -> None:
        if not self.closing:
            keep = keep and len(self.requests) < MOST_AT_ONCE - 1
            keep = keep and self._environ["REQUEST_METHOD"] != "CONNECT"
            self.requests.append(Request(self._environ, keep))
            self._handed = True
            self.closing = not keep
            self.due = b""
            self._environ, self._body = NOTHING, EMPTY  # a body must not outlive its request here

    def close(self) -> None:
        """Close it, and give back what it holds at once: its parser and it hold each other."""
        self.socket.close()
        self.requests.clear()
        self.outgoing = self.due = b""
        self._environ, self._body = NOTHING, EMPTY
