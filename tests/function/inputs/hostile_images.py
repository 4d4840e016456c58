"""Files that are no image, or nearly one, and what a server makes of them; the same at each run."""

from __future__ import annotations

import http.client
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from PIL import Image

from tests.conftest import Server
from tests.function.image_models import picture, text
from tests.function.inputs.test_images import (
    KINDS,
    chunk,
    encoded,
    gif,
    one_color,
    overlapping,
    photo,
    png,
    tiff,
)

BYTES_A_PIXEL = 20  # at most, as docs/how-to/images.md has it
SIDES = (0, 1, 96, 4095, 5000, 16_383, 20_000, 20_001, 65_535)
LARGER = (2**16, 2**31 - 1, 2**31, 2**32 - 1)
# Where each form has its sides, from its start or from a mark, and how.
HEADERS = {
    "GIF": (b"GIF8", 6, "<HH"),
    "JPEG": (b"\xff\xc0", 5, ">HH"),
    "BMP": (b"BM", 18, "<II"),
    "WEBP": (b"\x9d\x01\x2a", 3, "<HH"),
}
TAGS = (256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 338, 339)
MARKUP = (
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><svg>&b;</svg>",
    b"<!DOCTYPE html><html><img src=x onerror=alert(1)></html>",
    b"<html><body>no picture</body></html>",
    b"#!/bin/sh\nexit 1\n",
    b"%PDF-1.7\n",
    b"PK\3\4 no archive",
)
STARTS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"RIFF\xff\0\0\0WEBP",
    b"GIF89a",
    b"BM",
    b"II*\0",
)


@cache
def _whole(kind: str) -> bytes:
    return photo(kind)


def _any(random: Random) -> bytes:
    return _whole(random.choice(KINDS))


def _fuzzed_header(random: Random) -> bytes:
    content = bytearray(_any(random))
    for _ in range(random.choice((1, 2, 8))):
        content[random.randrange(2, min(96, len(content)))] = random.choice((0, 127, 128, 255, 42))
    return bytes(content)


def _flipped(random: Random) -> bytes:
    content = bytearray(_any(random))
    for _ in range(random.choice((1, 10, 200))):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return bytes(content)


def _truncated(random: Random) -> bytes:
    content = _any(random)
    return content[: random.randrange(1, len(content))]


def _lying(random: Random) -> bytes:
    """Sides in the header that are not those of the data."""
    kind = random.choice((*HEADERS, "PNG", "TIFF", "frame"))
    wide = kind in ("PNG", "BMP", "TIFF")
    width, height = (random.choice(SIDES + LARGER if wide else SIDES) for _ in range(2))
    if kind == "PNG":
        return png(width, height, bytes(random.randrange(400)), color=random.choice((0, 2, 3, 6)))
    if kind == "TIFF":
        return tiff(_256=width, _257=height)
    if kind == "frame":
        return gif(width, height)
    mark, offset, form = HEADERS[kind]
    content = bytearray(_whole(kind))
    struct.pack_into(form, content, content.index(mark) + offset, width, height)
    return bytes(content)


_one_color = cache(one_color)


@cache
def _zeros() -> bytes:
    return zlib.compress(bytes(30_000_000), 1)


@cache
def _largest(number: int) -> bytes:
    """As many pixels as are answered, in a small file."""
    if number == 0:
        return one_color(5_000, 5_000)
    mode, color = [("LA", (9, 128)), ("RGBA", (9, 9, 9, 128))][number - 1]
    return encoded(Image.new(mode, (5_000, 5_000), color), "PNG", compress_level=1)


def _bomb(random: Random) -> bytes:
    kind = random.randrange(8)
    if kind == 0:
        return png(4, 4, bytes(20), chunk(random.choice((b"zTXt", b"iCCP")), b"a\0\0" + _zeros()))
    if kind == 1:
        return png(random.randrange(1, 64), random.randrange(1, 64))[:-12] + chunk(
            b"IDAT", _zeros()
        )
    if kind == 2:
        return _whole("JPEG") + b"\xff\xda" * random.randrange(60, 70)
    if kind == 3:
        return overlapping()
    sides = ((20_001, 2), (1, 100_000), (5_001, 5_000), (12_000, 9_000))
    return _one_color(*random.choice(sides))


def _tags(random: Random) -> bytes:
    """A TIFF whose tags are any number."""
    chosen = random.sample(TAGS, random.randrange(1, 7))
    values = (*SIDES, *LARGER, random.randrange(2**32), *range(9))
    return tiff(**{f"_{tag}": random.choice(values) for tag in chosen})


def _two_in_one(random: Random) -> bytes:
    """A file that is two: one behind the other, or in it."""
    first, second = _any(random), random.choice((_any(random), *MARKUP))
    at = random.choice((0, len(first), random.randrange(len(first))))
    joined = first[:at] + second + first[at:] if random.random() < 0.7 else first[:at] + second
    return joined or second


def _no_image(random: Random) -> bytes:
    noise = random.randbytes(random.randrange(1, 300))
    return random.choice((random.choice(MARKUP), random.choice(STARTS) + noise, noise))


MAKERS: Mapping[str, Callable[[Random], bytes]] = {
    "fuzzed headers": _fuzzed_header,
    "flipped bits": _flipped,
    "truncated": _truncated,
    "lying sizes": _lying,
    "bombs": _bomb,
    "TIFF tags": _tags,
    "two files in one": _two_in_one,
    "SVG, HTML and noise": _no_image,
}


def hostile(count: int) -> Iterator[tuple[str, bytes]]:
    """So many files by their kind; the first three are as large as any that is answered."""
    for number in range(3):
        yield "bombs", _largest(number)
    for number in range(3, count):
        kind = list(MAKERS)[number % len(MAKERS)]
        yield kind, MAKERS[kind](Random(number))  # noqa: S311 (not for secrets)


class Outcome(NamedTuple):
    """What a server made of one file.

    Attributes:
        kind: of the file.
        status: of the answer; 0 where there was none.
        named: the answer is one of the file that was sent, or has its row and column.
    """

    kind: str
    status: int
    named: bool


def outcomes(port: int, files: Iterator[tuple[str, bytes]]) -> list[Outcome]:
    """Send each to the model `photos`: as a body, in a form, or as the second row of JSON."""
    found = list[Outcome]()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number, (kind, content) in enumerate(files):
        media_type, body, row = _request(number, content)
        try:
            connection.request("POST", "/models/photos/predict", body, {"Content-Type": media_type})
            answer = connection.getresponse()
            found.append(Outcome(kind, answer.status, _named(answer, row)))
        except (OSError, http.client.HTTPException):
            connection.close()
            found.append(Outcome(kind, 0, False))
    connection.close()
    return found


def _request(number: int, content: bytes) -> tuple[str, bytes, int]:
    """Media type, body, and the row that the file is."""
    if number % 3 == 0:
        return "image/png", content, 0
    if number % 3 == 1:
        rows = {"instances": [[text(picture())], [text(content)]]}
        return "application/json", json.dumps(rows).encode(), 1
    head = b'--hostile\r\nContent-Disposition: form-data; name="f"; filename="a.jpg"\r\n\r\n'
    return "multipart/form-data; boundary=hostile", head + content + b"\r\n--hostile--\r\n", 0


def _named(answer: http.client.HTTPResponse, row: int) -> bool:
    body = json.loads(answer.read())
    if answer.status == 200:
        return len(body["prediction"]) == row + 1
    if answer.status == 413:
        return True
    return [(each["row"], each["column"]) for each in body.get("errors", ())] == [(row, "photo")]


def peak(server: Server) -> int:
    """Bytes of memory that a server's process had at its peak (Linux)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def unlike(found: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes that no client may meet."""
    return [each for each in found if each.status not in (200, 413, 422) or not each.named]
