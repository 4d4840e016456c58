"""Encoded images become pixels: each format and mode against a second way, and hostile files."""

import base64
import io
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import TookTooLong
from onnxlet.function.inputs.images import Unreadable, decoded_bytes, picture_size, pixels

KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "WEBP": {"lossless": True},
    "TIFF-LZW": {"compression": "tiff_lzw"},
}
# What each EXIF orientation has done to an image, as NumPy turns it back.
UPRIGHT: Mapping[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(height: int = 5, width: int = 7, channels: int = 3, seed: int = 0) -> Array:
    shape = (height, width, channels)[: 2 + (channels > 1)]
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def photo(kind: str, **options: Any) -> bytes:
    """A smooth picture of 96 x 64 as a file of any format."""
    y, x = np.mgrid[:64, :96]
    colors = np.stack([x * 2, y * 3, (x + y) % 256], 2).astype(np.uint8)
    return encoded(Image.fromarray(colors), kind, **options)


def whole(content: bytes, mode: str = "RGB") -> Array:
    width, height = picture_size(content)
    return pixels(content, height, width, mode, "nearest")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, data: bytes = b"", extra: bytes = b"", depth: int = 8, color: int = 0
) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + extra + end


def grey(content: bytes) -> Image.Image:
    """What is grey in an image: of a JPEG the luma that it holds, else of its colors."""
    image = Image.open(io.BytesIO(content))
    if image.format != "JPEG":
        return image.convert("L")
    image.draft("YCbCr", None)  # decoded as it is held, to no colors
    return image.getchannel(0)


@pytest.mark.parametrize("kind", KINDS)
def test_formats(kind: str) -> None:
    exact = noise()
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind in ("PNG", "BMP", "TIFF", "WEBP"):
        assert np.array_equal(whole(encoded(Image.fromarray(exact), kind, **options)), exact)
    content = photo(kind)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(whole(content), np.asarray(image.convert("RGB")))
    assert np.array_equal(whole(content, "L")[:, :, 0], np.asarray(grey(content)))


@pytest.mark.parametrize("resize", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_resizing_is_pillows(mode: str, resize: str) -> None:
    content = photo("JPEG")
    plain = grey(content) if mode == "L" else Image.open(io.BytesIO(content))
    small = plain.resize((13, 17), getattr(Image, resize.upper()))
    found = pixels(content, 17, 13, mode, resize)
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.asarray(small).reshape(17, 13, -1))


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF-LZW", "JPEG", "WEBP"])
def test_orientation(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(noise())
    options = OPTIONS.get(kind, {})
    kind = kind[:4]
    content = encoded(stored, kind, exif=exif, **options)
    with Image.open(io.BytesIO(encoded(stored, kind, **options))) as image:
        expected = UPRIGHT[orientation](np.asarray(image))
    assert np.array_equal(whole(content), expected)
    assert picture_size(content) == expected.shape[1::-1]


def blended(color: Array, alpha: Array) -> Array:
    """Over white, in whole numbers."""
    return np.rint(color * (alpha / 255.0) + 255 * (1 - alpha / 255.0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_over_white(kind: str) -> None:
    layers = noise(channels=4)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = whole(encoded(Image.fromarray(layers), kind, **options)).astype(int)
    assert np.abs(found - blended(layers[..., :3], layers[..., 3:])).max() <= 1
    clear = layers[..., 3] == 255
    assert np.array_equal(found[clear], layers[clear][:, :3])


def test_grey_with_alpha() -> None:
    layers = noise(channels=2)
    found = whole(encoded(Image.fromarray(layers, "LA")), "L")[..., 0].astype(int)
    assert np.abs(found - blended(layers[..., 0], layers[..., 1])).max() <= 1


def test_palettes() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(whole(encoded(image, kind)), colors)
        assert whole(encoded(image, kind), "L").tolist() == [[[76], [150], [29]]]
    for kind in ("PNG", "GIF"):
        content = encoded(image, kind, transparency=1)
        assert whole(content).tolist() == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]
    some = encoded(image, "PNG", transparency=bytes([255, 0, 102]))
    assert whole(some).tolist() == [[[255, 0, 0], [255, 255, 255], [153, 153, 255]]]


def test_16_bits_become_the_high_byte() -> None:
    numbers = np.array([[0, 255, 256, 0x1234, 65535]], np.uint16)
    expected = (numbers >> 8)[..., None]
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(whole(encoded(Image.fromarray(numbers), kind), "L"), expected)
        rgb = whole(encoded(Image.fromarray(numbers), kind))
        assert np.array_equal(rgb, np.repeat(expected, 3, 2))
    whole_numbers = Image.fromarray(np.array([[-5, 256, 70000]], np.int32))
    assert whole(encoded(whole_numbers, "TIFF"), "L").tolist() == [[[0], [1], [255]]]
    row = b"\0" + numbers.astype(">u2").tobytes()
    clear = png(5, 1, row, chunk(b"tRNS", struct.pack(">H", 0x1234)), depth=16)
    assert whole(clear, "L").tolist() == [[[0], [0], [1], [255], [255]]]
    colors = png(1, 1, b"\0\x12\x34\x56\x78\x9a\xbc", depth=16, color=2)
    assert whole(colors).tolist() == [[[0x12, 0x56, 0x9A]]]


def test_1_bit() -> None:
    bits = noise(9, 11, 1) > 127
    for kind in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(whole(encoded(Image.fromarray(bits), kind), "L")[..., 0], bits * 255)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    inks = Image.new("CMYK", (8, 8), (255, 0, 128, 51))
    found = whole(encoded(inks, kind, **({"quality": 100} if kind == "JPEG" else {})))
    red, green, blue = ((255 - ink) * (255 - 51) / 255 for ink in (255, 0, 128))
    assert np.abs(found - [red, green, blue]).max() <= 3


def test_floating_point_numbers_are_refused() -> None:
    content = encoded(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF")
    with pytest.raises(Unreadable, match="got floating-point numbers"):
        pixels(content, 2, 2, "L", "box")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (6, 4), color) for color in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.array_equal(whole(content), np.asarray(frames[0]))


@pytest.mark.parametrize(
    "cell",
    [
        base64.b64encode(b"\xfb\xef\xbe~~").decode(),
        "++++fn4",
        "----fn4=",
        "data:image/png;base64,++++fn4=",
        "DATA:;BASE64,++++fn4",
        "++++\r\nfn4=\n",
        "data:image/png;name=a;base64,----fn4",
    ],
)
def test_base64(cell: str) -> None:
    assert decoded_bytes(cell) == b"\xfb\xef\xbe~~"


@pytest.mark.parametrize(
    ("cell", "detail"),
    [
        ("", "in base64, or as a data: URL, got an empty text"),
        ("data:image/png;base64,", "got an empty text"),
        ("data:image/png,%89PNG", "expected a data: URL with base64, got one without"),
        ("https://pictures.example/a.png", "got an address: none is fetched"),
        ("photos/cat.png", "got other text"),
        ("secret=?", "got other text"),
        ("a", "got other text"),
        ("Bild für dich", "got other text"),
        ("\ud800", "got other text"),
    ],
)
def test_other_text(cell: str, detail: str) -> None:
    with pytest.raises(Unreadable) as raised:
        decoded_bytes(cell)
    assert detail in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "expected an image, got no bytes"),
        (b"\x89PNG\x1a\0\0\0\rIHDR", "got a PNG without its line breaks: curl's --data removes"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "got SVG, which is drawn"),
        (b'<?xml version="1.0"?>\n<svg/>', "got SVG"),
        (b"<!DOCTYPE html><p>secret", "got an HTML page"),
        (b"%PDF-1.7", "got a PDF"),
        (b"\0\0\0\x20ftypheic", "got HEIC"),
        (b"\0\0\0\x20ftypavif", "got AVIF"),
        (b"MM\0+\0\x08", "got a BigTIFF"),
        (b"RIFF\x04\0\0\0WAVE", "got something else"),
        (b"secret", "expected PNG, JPEG, WebP, GIF, BMP or TIFF, got something else"),
    ],
)
def test_no_image(content: bytes, detail: str) -> None:
    for read in (picture_size, lambda file: pixels(file, 8, 8, "RGB", "box")):
        with pytest.raises(Unreadable) as raised:
            read(content)
        assert detail in str(raised.value)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files(kind: str) -> None:
    content, read = photo(kind), 0
    expected = whole(content)
    for end in range(0, len(content), 64):
        try:
            found = pixels(content[:end], 64, 96, "RGB", "nearest")
        except Unreadable:
            continue
        read += 1  # nothing of the first frame is missing
        assert np.array_equal(found, expected)
    assert read <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_fuzzed_files(kind: str) -> None:
    """Whatever a damaged file is, it is pixels of the shape, or unreadable."""
    content, random = photo(kind), Random(13)  # noqa: S311 (not for secrets)
    outcomes = set[Any]()
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(random.choice((1, 3, 20))):
            damaged[random.randrange(min(len(damaged), random.choice((40, 400, 10**6))))] = (
                random.choice((0, 1, 127, 255, random.randrange(256)))
            )
        try:
            outcomes.add(pixels(bytes(damaged), 4, 4, "L", "box").shape)
        except Unreadable as error:
            outcomes.add(type(error))
    assert outcomes == {(4, 4, 1), Unreadable}


def one_color(width: int, height: int) -> bytes:
    """A PNG of zeros, 1 bit each: small, and written without holding its pixels."""
    packer, data = zlib.compressobj(9), b""
    row = b"\0" * (1 + (width + 7) // 8)
    for _ in range(0, height, 1000):
        data += packer.compress(row * min(1000, height))
    parts = chunk(b"IDAT", data + packer.flush()) + chunk(b"IEND", b"")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + parts


def gif(width: int, height: int) -> bytes:
    """A GIF whose screen is small and whose frame says that it is large."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2\2\x44\1\0;"


def tiff(**tags: int) -> bytes:
    """A grey TIFF of one strip of one byte, with tags by number."""
    known = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 1}
    known |= {int(tag[1:]): value for tag, value in tags.items()}
    entries = b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in sorted(known.items()))
    return b"II*\0" + struct.pack("<IIH", 12, 0, len(known)) + entries + bytes(4)


TOO_LARGE: Mapping[str, Callable[[], bytes]] = {
    "png": lambda: one_color(20_000, 20_000),
    "wide": lambda: one_color(100_000, 1),
    "high": lambda: one_color(1, 100_000),
    "header": lambda: png(2**31 - 1, 2**31 - 1),
    "gif": lambda: gif(65_535, 65_535),
    "tiff": lambda: tiff(_256=2**31 - 1, _257=2**31 - 1),
    "tiles": lambda: tiff(_322=2**20, _323=2**20),
    "webp": lambda: encoded(Image.new("RGB", (12_000, 12_000)), "WEBP", lossless=True, method=0),
    "bmp": lambda: photo("BMP")[:18] + struct.pack("<ii", 30_000, 30_000) + photo("BMP")[26:],
}


@cache
def too_large(kind: str) -> bytes:
    return TOO_LARGE[kind]()


@pytest.mark.long
@pytest.mark.parametrize("kind", TOO_LARGE)
def test_too_large_images(kind: str) -> None:
    with pytest.raises(Unreadable) as raised:
        pixels(too_large(kind), 8, 8, "L", "box")
    assert any(
        part in str(raised.value)
        for part in ("longest side", "are the most", "pixels than an image may")
    )


def test_the_limit_is_a_setting() -> None:
    content = photo("PNG")
    assert pixels(content, 1, 1, "L", "box", 64 * 96).shape == (1, 1, 1)
    with pytest.raises(Unreadable, match="96 x 64 pixels, and 6143 in all are the most"):
        pixels(content, 1, 1, "L", "box", 64 * 96 - 1)


def test_a_jpeg_of_many_scans() -> None:
    content = photo("JPEG", progressive=True)
    assert content.count(b"\xff\xda") > 1
    with pytest.raises(Unreadable, match="more than 64 scans"):
        pixels(content + b"\xff\xda\0\x08\1" * 64, 8, 8, "L", "box")
    film = b"\xff\xda\1\2" * 1000  # behind a photo: what looks like a scan's first bytes
    assert np.array_equal(
        pixels(content + film, 8, 8, "L", "box"), pixels(content, 8, 8, "L", "box")
    )


def test_other_hostile_files() -> None:
    swollen = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8)))
    for content in (png(4, 4, bytes(20), swollen), png(4, 4, bytes(20), profile), png(0, 5), b"BM"):
        with pytest.raises(Unreadable):
            pixels(content, 8, 8, "L", "box")


def behind_the_start(content: bytes, more: bytes) -> bytes:
    """An image with parts behind its signature and, of a PNG, its header."""
    at = 2 if content.startswith(b"\xff\xd8") else 8 + 25
    return content[:at] + more + content[at:]


SLOW: Mapping[str, Callable[[], bytes]] = {  # each took 2 to 50 s
    "comments": lambda: behind_the_start(photo("JPEG"), b"\xff\xfe\0\2" * 1_000_000),
    "filling": lambda: behind_the_start(photo("JPEG"), b"\xff" * 6_000_000),
    "exif": lambda: behind_the_start(photo("JPEG"), b"\xff\xe1\0\x09Exif\0\0a" * 500_000),
    "chunks": lambda: behind_the_start(photo("PNG"), chunk(b"abCd", b"") * 500_000),
    "profiles": lambda: behind_the_start(
        photo("PNG"), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**6))) * 5000
    ),
}


@pytest.mark.parametrize("kind", SLOW)
def test_images_in_many_parts(kind: str) -> None:
    content = SLOW[kind]()
    start = time.process_time()
    with pytest.raises(Unreadable, match=r"too many small parts|has more than (4|100) "):
        pixels(content, 8, 8, "L", "box")
    assert time.process_time() - start < 1.5


def tiles(width: int, wide: int, long: int) -> bytes:
    """A TIFF of white tiles over an image of one line, all at the same bytes."""
    data = zlib.compress(b"\xff" * wide * long, 9)
    count = -(-width // wide)
    known = {256: width, 257: 1, 258: 8, 259: 8, 262: 1, 277: 1, 322: wide, 323: long}
    at = 8 + 2 + 12 * (len(known) + 2) + 4
    entries = [(tag, 1, value) for tag, value in known.items()]
    entries += [(324, count, at), (325, count, at + 4 * count)]
    directory = b"".join(struct.pack("<HHII", tag, 4, n, value) for tag, n, value in entries)
    places = struct.pack("<I", at + 8 * count) * count + struct.pack("<I", len(data)) * count
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + places + data


def test_tiles_of_many_more_pixels_than_the_image() -> None:
    """Ten seconds' work for each 300 tiles of it."""
    assert (pixels(tiles(300, 16, 16), 1, 1, "L", "box") == 255).all()
    assert (pixels(tiles(20_000, 16, 16), 1, 1, "L", "box") == 255).all()
    for hostile in (tiles(300, 1, 4_000_000), tiles(20_000, 16, 10_000)):
        with pytest.raises(Unreadable, match="tiles of more pixels"):
            pixels(hostile, 1, 1, "L", "box")


def test_who_waits_too_long_is_not_decoded() -> None:
    content = photo("PNG")
    deadline.begin(time.perf_counter() - 2, 1)
    try:
        with pytest.raises(TookTooLong):
            pixels(content, 8, 8, "L", "box")
    finally:
        deadline.end()
    assert pixels(content, 8, 8, "L", "box").shape == (8, 8, 1)


LIMITED = r"""
import re, resource, struct, sys
from onnxlet.function.inputs.images import Unreadable, load_plugins
from onnxlet.function.inputs.images import pixels
load_plugins()
def peak() -> None:
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
start = peak()
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
while size := sys.stdin.buffer.read(4):
    try:
        pixels(sys.stdin.buffer.read(*struct.unpack("<I", size)), 32, 32, "RGB", "bilinear")
    except Unreadable:
        pass
    print((peak() - start) // 1024)
"""


def megabytes(*contents: bytes) -> list[int]:
    """What images take at their peak, one after another in a process of their own: it grows."""
    command = [sys.executable, "-c", LIMITED]
    content = b"".join(struct.pack("<I", len(each)) + each for each in contents)
    done = subprocess.run(command, input=content, capture_output=True, check=True, timeout=120)
    return [int(each) for each in done.stdout.split()]


def overlapping() -> bytes:
    """A TIFF with 60,000 tags, each of which is the whole file."""
    size = 60_000 * 12 + 100
    entries = b"".join(struct.pack("<HHII", 1000 + n, 7, size, 0) for n in range(60_000))
    return b"II*\0" + struct.pack("<IH", 8, 60_000) + entries + bytes(100)


@pytest.mark.long
def test_memory_of_what_is_refused() -> None:
    kinds = ("png", "gif", "tiff", "tiles", "webp")
    found = megabytes(*map(too_large, kinds), overlapping())
    assert len(found) == len(kinds) + 1
    assert max(found) <= 40, found


@pytest.mark.long
def test_memory_of_the_largest_images() -> None:
    grey = Image.new("LA", (5000, 5000), (9, 128))
    colors = Image.new("RGBA", (5000, 5000), (9, 9, 9, 128))
    files = (encoded(grey), encoded(colors), encoded(colors, "WEBP", lossless=True))
    found = megabytes(*files)
    assert len(found) == len(files)
    assert max(found) <= 20 * 25, found
