"""The least that Python can do: httptools, orjson, NumPy and ONNX Runtime in one loop.

It checks nothing, counts nothing, logs nothing, and a request that is not as expected ends it. What
another server takes beyond this is the price of what it does more.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from typing import Any

import numpy as np
import onnxruntime
import orjson
from httptools import HttpRequestParser

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    os.environ["BENCH_ONNX"], options, providers=["CPUExecutionProvider"]
)
[TENSOR] = session.get_inputs()
OUTPUTS = [output.name for output in session.get_outputs()][:2]
DTYPE = np.float64 if "double" in TENSOR.type else np.float32
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Client:
    """One connection; a parser's callbacks."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._parts: list[bytes] = []
        self._parser: Any = HttpRequestParser(self)

    def receive(self) -> bool:
        """Read and answer what has come; False if the client is gone."""
        data = self.socket.recv(1 << 18)
        if data:
            self._parser.feed_data(data)
        return bool(data)

    def on_body(self, part: bytes) -> None:
        """Part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """Predict, and answer."""
        rows = np.array(orjson.loads(b"".join(self._parts))["instances"], DTYPE)
        self._parts.clear()
        labels, probabilities = session.run(OUTPUTS, {TENSOR.name: rows})
        answer = {"prediction": labels, "probabilities": probabilities}
        body = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        self.socket.sendall((HEAD % len(body)).encode() + body)


def main(port: int) -> None:
    """Serve until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    poll, clients = select.epoll(), dict[int, Client]()
    poll.register(listener.fileno(), select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[sock.fileno()] = Client(sock)
                poll.register(sock.fileno(), select.EPOLLIN)
            elif not clients[number].receive():
                clients.pop(number).socket.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
