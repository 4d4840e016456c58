"""What the ways of answering share: the fast path and Flask's."""

from __future__ import annotations

from collections.abc import Callable

from onnxlet.function.messages import Reply

# Bytes; smaller answers are not compressed. Ten packets of 1,460 bytes hold that many, and a new
# connection sends ten at once (RFC 6928): fewer would arrive no sooner.
LARGE_ANSWER = 14_600

Answer = Callable[..., Reply]  # makes the reply from the environ and the rule's variables
