"""What WSGI apps take and give (PEP 3333), and how large an answer is before it is compressed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from onnxlet.function.messages import Reply

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]
Answer = Callable[..., Reply]  # makes the reply from the environ and the rule's variables
# Bytes; smaller answers are not compressed. Ten packets of 1,460 bytes hold that many, and a new
# connection sends ten at once (RFC 6928): fewer would arrive no sooner.
LARGE_ANSWER = 14_600
