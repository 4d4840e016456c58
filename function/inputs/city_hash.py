"""The lower 32 bits of CityHash64, signed, as CatBoost hashes categories.

Sources: CityHash 1.0 by Geoff Pike and Jyrki Alakuijala, Google, MIT licence, as CatBoost has it in
`util/digest/city.cpp`; `catboost/libs/cat_feature/cat_feature.cpp` (`CalcCatFeatureHash`).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from

KNOWN = 10_000  # hashes of short texts that are kept
SHORT = 40  # characters

MASK = 0xFFFFFFFFFFFFFFFF
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
MIX = 0x9DDFEA08EB382D69


def city_hash() -> Callable[[str | int], int]:
    """The step of the front end: the hash of a text, or of a whole number's decimal text.

    It is 0.1 µs for one of the last texts, 2 µs for another short one, 16 ms for 100,000 letters.
    """
    known: dict[str | int, int] = {}

    def step(cell: str | int) -> int:
        found = known.get(cell)
        if found is None:
            found = hashed(str(cell))
            if len(known) >= KNOWN:
                known.clear()
            if isinstance(cell, int) or len(cell) <= SHORT:
                known[cell] = found
        return found

    return step


def hashed(text: str) -> int:
    """The hash of a text's UTF-8, from -2**31 to 2**31 - 1."""
    low = _hash64(text.encode()) & 0xFFFFFFFF
    return low - 2**32 if low >= 2**31 else low


def _hash64(data: bytes) -> int:
    size = len(data)
    if size <= 16:
        return _up_to_16(data, size)
    if size <= 32:
        return _up_to_32(data, size)
    return _up_to_64(data, size) if size <= 64 else _longer(data, size)


def _up_to_16(data: bytes, size: int) -> int:
    if size > 8:
        a, b = _word(data, 0), _word(data, size - 8)
        return _mixed(a, _turned(b + size & MASK, size)) ^ b
    if size >= 4:
        first, last = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _mixed(size + (first << 3), last)
    if size == 0:
        return K2
    y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
    return _folded(y * K2 & MASK ^ z * K3 & MASK) * K2 & MASK


def _up_to_32(data: bytes, size: int) -> int:
    a, b = _word(data, 0) * K1 & MASK, _word(data, 8)
    c, d = _word(data, size - 8) * K2 & MASK, _word(data, size - 16) * K0
    u = _turned(a - b & MASK, 43) + _turned(c, 30) + d
    return _mixed(u & MASK, a + _turned(b ^ K3, 20) - c + size & MASK)


def _up_to_64(data: bytes, size: int) -> int:
    z, a = _word(data, 24), _word(data, 0) + (size + _word(data, size - 16)) * K0
    v1, v2 = _pair(a & MASK, z, _word(data, 8), _word(data, 16))
    a, z = _word(data, 16) + _word(data, size - 32), _word(data, size - 8)
    w1, w2 = _pair(a & MASK, z, _word(data, size - 24), _word(data, size - 16))
    r = _folded((v1 + w2) * K2 + (w1 + v2) * K0 & MASK)
    return _folded(r * K0 + v2 & MASK) * K2 & MASK


def _pair(a: int, z: int, second: int, third: int) -> tuple[int, int]:
    b, c = _turned(a + z & MASK, 52), _turned(a, 37)
    a = a + second & MASK
    c += _turned(a, 7)
    a = a + third & MASK
    return a + z & MASK, b + _turned(a, 31) + c & MASK


def _longer(data: bytes, size: int) -> int:
    x, y = _word(data, 0), _word(data, size - 16) ^ K1
    z = _word(data, size - 56) ^ K0
    v1, v2 = _weak(data, size - 64, size, y)
    w1, w2 = _weak(data, size - 32, size * K1 & MASK, K0)
    z = z + _folded(v2) * K1 & MASK
    x, y = _turned(z + x & MASK, 39) * K1 & MASK, _turned(y, 33) * K1 & MASK
    for at in range(0, size - 1 & ~63, 64):
        x = _turned(x + y + v1 + _word(data, at + 16) & MASK, 37) * K1 & MASK ^ w2
        y = _turned(y + v2 + _word(data, at + 48) & MASK, 42) * K1 & MASK ^ v1
        z = _turned(z ^ w1, 33)
        v1, v2 = _weak(data, at, v2 * K1 & MASK, x + w1 & MASK)
        w1, w2 = _weak(data, at + 32, z + w2 & MASK, y)
        x, z = z, x
    u = _mixed(v1, w1) + _folded(y) * K1 + z
    return _mixed(u & MASK, _mixed(v2, w2) + x & MASK)


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = unpack_from("<4Q", data, at)
    a = a + w & MASK
    b = _turned(b + a + z & MASK, 21)
    c = a
    a = a + x + y & MASK
    return a + z & MASK, b + _turned(a, 44) + c & MASK


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _turned(word: int, bits: int) -> int:
    """The word's bits, turned to the right."""
    return (word >> bits | word << 64 - bits) & MASK


def _folded(word: int) -> int:
    return word ^ word >> 47


def _mixed(low: int, high: int) -> int:
    a = _folded((low ^ high) * MIX & MASK)
    return _folded((high ^ a) * MIX & MASK) * MIX & MASK
