"""TLS under a connection: a socket that reads, writes and ends as a plain one does.

The handshake is a part of reading: whoever stalls in it holds a socket and no thread.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.server.sockets import Bytes, PlainHttp
from onnxlet.function.errors import OnnxletError

RECORD = 1 << 14  # bytes of one at most
MOST_RECORDS = 256  # that are read in one go
LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsError(OnnxletError):
    """The certificate or its key can't be used."""


def make_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Read a server's certificate, with those that it is signed by, and its key.

    Raises:
        TlsError: they can't be read, or don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        for path in (certificate, key):
            path.open("rb").close()  # OpenSSL would not say which
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        what = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise TlsError(
            f"--tls-cert {certificate}, --tls-key {key}: {getattr(error, 'filename', '') or ''} "
            f"can't be used: {what}",
            "Both have to be PEM files that belong together, the key without a password.",
        ) from error
    return context


class TlsSocket:
    """The server's side of one connection.

    Args:
        sock: connected; it will not block. It is taken over.
        context: with the certificate.

    Raises:
        OSError: the client has gone already.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._raw = False

    @property
    def shaking(self) -> bool:
        """Client and server have not agreed yet."""
        return not self._raw and self._tls.version() is None

    def fileno(self) -> int:
        """For selectors."""
        return self._tls.fileno()

    def recv(self, size: int) -> bytes:
        """Go on with the handshake, and read what has come: `size` bytes and a record at most.

        Raises:
            BlockingIOError: nothing has.
            PlainHttp: what has come is HTTP without TLS; from now on this is a plain socket.
            OSError: the connection is broken.
        """
        if self._raw:
            return socket.socket.recv(self._tls, size)
        data = bytearray()
        # OpenSSL gives one record at a time, and is asked for the whole of it: what it kept of one
        # no selector would tell of. Records may have a single byte, and others wait meanwhile.
        for _ in range(MOST_RECORDS):
            if len(data) >= size:
                break
            try:
                part = self._tls.recv(RECORD)
            except LATER:
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
        """Send what the client takes now; how many bytes it took.

        Raises:
            BlockingIOError: none.
            OSError: the connection is broken.
        """
        if self._raw:
            return socket.socket.send(self._tls, data)
        rest, sent = memoryview(data), 0
        while sent < len(data):
            try:
                sent += self._tls.send(rest[sent : sent + RECORD])  # it takes all of this, or none
            except LATER:
                break
        if not sent:
            raise BlockingIOError
        return sent

    def shutdown(self, how: int) -> None:
        """Tell the client that nothing more is sent; what it still sends is not deciphered.

        Raises:
            OSError: the connection is broken.
        """
        self._say_goodbye()
        self._raw = True  # OpenSSL takes data behind a goodbye for an attack, and reads no more
        socket.socket.shutdown(self._tls, how)  # SSLSocket's own would read no more TLS

    def close(self) -> None:
        """Close it; a client that is still there is told that this is the end, and no attack."""
        self._say_goodbye()
        self._tls.close()

    def _say_goodbye(self) -> None:
        with suppress(OSError, ValueError):  # it does not wait for the client's
            if not self._raw:
                self._tls.unwrap()
