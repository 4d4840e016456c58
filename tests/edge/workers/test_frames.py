"""Messages between a supervisor and its workers, cut anywhere."""

from __future__ import annotations

from onnxlet.edge.workers.frames import Message, Unpacker, packed

MESSAGES = [
    Message("tell", {"topic": "été\n"}, [b"a\nb", b"", bytes(range(256))]),
    Message("ask", {"ask": 1, "topic": None}, []),
    Message("state", {"topics": {"a": True, "b": False}}, [b"\n" * 300]),
]


def test_what_is_sent_arrives_however_it_is_cut() -> None:
    data = b"".join(packed(m.kind, *m.parts, **m.members) for m in MESSAGES)
    for size in range(1, len(data) + 1):
        unpacker = Unpacker()
        cut = [data[start : start + size] for start in range(0, len(data), size)]
        assert [message for part in cut for message in unpacker.feed(part)] == MESSAGES
