"""TLS under a connection: a socket that reads, writes and closes as a plain one does.

The handshake is a part of reading: a client that stalls in it occupies a socket and no thread.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.server.sockets import Bytes, PlainHttp
from onnxlet.function.errors import OnnxletError

RECORD = 1 << 14  # bytes of a TLS record, at most
MOST_RECORDS = 256  # read in one call
WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsError(OnnxletError):
    """The certificate or its key can't be used."""


def make_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Load a server's certificate chain and its key.

    TlsError is raised where they can't be read, or don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        for path in (certificate, key):
            path.open("rb").close()  # OpenSSL's error would not name the file
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        what = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        hint = "Both have to be PEM files that belong together, the key without a password."
        if isinstance(error, PermissionError):
            hint = (
                f"Who serves has to read it, on a device the user onnxlet: chgrp onnxlet {key}; "
                f"chmod 640 {key}. Homes are hidden from the service."
            )
        raise TlsError(
            f"--tls-cert {certificate}, --tls-key {key}: "
            f"{getattr(error, 'filename', None) or 'they'} can't be used: {what}",
            hint,
        ) from error
    return context


class TlsSocket:
    """The server's side of one connection; it owns the connected, non-blocking socket.

    OSError is raised where the client is gone already.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._raw = False

    @property
    def shaking(self) -> bool:
        """The handshake is not finished."""
        return not self._raw and self._tls.version() is None

    def fileno(self) -> int:
        """The file descriptor, for selectors."""
        return self._tls.fileno()

    def recv(self, size: int) -> bytes:
        """Continue the handshake, and read what has arrived: at most `size` bytes and a record.

        Raises BlockingIOError where nothing has, PlainHttp where the client speaks HTTP without TLS
        (from now on this is a plain socket), OSError where the connection is broken.
        """
        if self._raw:
            return socket.socket.recv(self._tls, size)
        data = bytearray()
        # OpenSSL returns one record at a time. It is asked for the whole record, since a selector
        # does not see what OpenSSL buffers. Records may have a single byte, hence the limit.
        for _ in range(MOST_RECORDS):
            if len(data) >= size:
                break
            try:
                part = self._tls.recv(RECORD)
            except WOULD_BLOCK:
                break
            except ssl.SSLError as error:
                if error.reason == "HTTP_REQUEST":
                    self._raw = True
                    raise PlainHttp from error
                raise
            if not part:
                return bytes(data)
            data += part
        if not data:
            raise BlockingIOError
        return bytes(data)

    def send(self, data: Bytes) -> int:
        """Send; return how many bytes the client took.

        Raises BlockingIOError where it took none, OSError where the connection is broken.
        """
        if self._raw:
            return socket.socket.send(self._tls, data)
        rest, sent = memoryview(data), 0
        while sent < len(data):
            try:
                sent += self._tls.send(rest[sent : sent + RECORD])  # all of it, or none
            except WOULD_BLOCK:
                break
        if not sent:
            raise BlockingIOError
        return sent

    def shutdown(self, how: int) -> None:
        """Announce that nothing more is sent; what the client still sends is not deciphered."""
        self._send_close_notify()
        self._raw = True  # after close_notify OpenSSL would treat further data as an attack
        socket.socket.shutdown(self._tls, how)  # SSLSocket's own ends TLS without close_notify

    def close(self) -> None:
        """Close, with close_notify: a client can distinguish the end from a truncation attack."""
        self._send_close_notify()
        self._tls.close()

    def _send_close_notify(self) -> None:
        with suppress(OSError, ValueError):  # the client's own close_notify is not awaited
            if not self._raw:
                self._tls.unwrap()
