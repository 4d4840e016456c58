"""MurmurHash3 x86_32, with seed 0 and signed as scikit-learn hashes tokens, or with many seeds.

Source: Austin Appleby, https://github.com/aappleby/smhasher, `MurmurHash3_x86_32`, public domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.numpy_later import np

C1, C2, ADDED = 0xCC9E2D51, 0x1B873593, 0xE6546B64
MIX1, MIX2 = 0x85EBCA6B, 0xC2B2AE35
MASK = 0xFFFFFFFF
HASHED_AT_ONCE = 2000  # tokens, each with all seeds
MANY_TOKENS = 64  # tokens from which NumPy is faster than Python
SHORT = 64  # bytes; longer tokens would make NumPy's array of all tokens large


def murmurhash3(tokens: Sequence[str]) -> list[int]:
    """The hash of each token's UTF-8, from -2**31 to 2**31 - 1."""
    encoded = [token.encode() for token in tokens]
    if len(encoded) < MANY_TOKENS:
        return [_one(data) for data in encoded]
    short = [data for data in encoded if len(data) <= SHORT]
    seed = np.zeros(1, dtype=np.uint32)
    hashes = iter(_hash_many(short, seed).ravel().view(np.int32).tolist() if short else [])
    return [next(hashes) if len(data) <= SHORT else _one(data) for data in encoded]


def murmur_bucket(prefix: str, size: int, signed: bool) -> Callable[[str], tuple[int, int]]:
    """A step: the column of a text's hash, and 1 or -1 there; 0 of a missing text.

    Args:
        prefix: before the text.
        size: how many columns there are.
        signed: a negative hash gives -1.
    """

    def change(text: str) -> tuple[int, int]:
        if text == MISSING_TEXT:
            return 0, 0
        hashed = _one(f"{prefix}{text}".encode())
        return abs(hashed) % size, -1 if signed and hashed < 0 else 1

    return change


def least_by_seed(tokens: Sequence[str], count: int) -> Array:
    """The least hash of some short tokens, unsigned, with each seed from 0 to count - 1."""
    seeds = np.arange(count, dtype=np.uint32)
    encoded = [token.encode() for token in tokens]
    parts = (encoded[at : at + HASHED_AT_ONCE] for at in range(0, len(encoded), HASHED_AT_ONCE))
    least = [_hash_many(part, seeds).min(axis=0) for part in parts]
    return np.asarray(np.min(least, axis=0), dtype=np.uint32)


def _one(data: bytes) -> int:
    size, h = len(data), 0
    whole = size & ~3
    for k in memoryview(data[:whole]).cast("I"):
        k = k * C1 & MASK
        h ^= (k << 15 | k >> 17) * C2 & MASK
        h = ((h << 13 | h >> 19) & MASK) * 5 + ADDED & MASK
    if whole < size:
        k = int.from_bytes(data[whole:], "little") * C1 & MASK
        h ^= (k << 15 | k >> 17) * C2 & MASK
    h ^= size
    h = (h ^ h >> 16) * MIX1 & MASK
    h = (h ^ h >> 13) * MIX2 & MASK
    h ^= h >> 16
    return h - 2**32 if h >= 2**31 else h


def _hash_many(tokens: Sequence[bytes], seeds: Array) -> Array:
    """The hashes of many, uint32 of shape (tokens, seeds), block by block of four bytes.

    Zero bytes after the end change nothing.
    """
    sizes = np.array([[len(token)] for token in tokens], dtype=np.uint32)
    blocks = max(1, -(-int(np.max(sizes)) // 4))
    padded = np.array(tokens, dtype=f"S{4 * blocks}").view("<u4").reshape(-1, blocks)
    h = np.broadcast_to(seeds, (len(tokens), len(seeds)))
    for index in range(blocks):
        h = h ^ _turned(padded[:, index : index + 1] * np.uint32(C1), 15) * np.uint32(C2)
        mixed = _turned(h, 13) * np.uint32(5) + np.uint32(ADDED)
        h = np.where(sizes // 4 > index, mixed, h)
    h = h ^ sizes
    h = (h ^ h >> np.uint32(16)) * np.uint32(MIX1)
    h = (h ^ h >> np.uint32(13)) * np.uint32(MIX2)
    hashes: Array = h ^ h >> np.uint32(16)
    return hashes


def _turned(words: Array, bits: int) -> Array:
    """The bits of each word, uint32, turned to the left."""
    return words << np.uint32(bits) | words >> np.uint32(32 - bits)
