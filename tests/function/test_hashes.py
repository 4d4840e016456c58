"""Hashes of few and of many bytes are hashlib's, and few load no OpenSSL."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from onnxlet.function.hashes import MANY_BYTES, sha256
from tests.conftest import ROOT


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000, MANY_BYTES - 1, MANY_BYTES, MANY_BYTES + 1])
def test_they_are_those_of_hashlib(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    got, expected = sha256(content[:size]), hashlib.sha256(content[:size])
    assert (got.digest(), got.hexdigest()) == (expected.digest(), expected.hexdigest())


def test_few_bytes_load_no_openssl() -> None:
    program = (
        "import sys; from onnxlet.function.hashes import sha256; sha256(b'few').digest();"
        "assert '_hashlib' not in sys.modules; sha256(bytes(2**20));"
        "assert '_hashlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
