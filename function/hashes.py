"""SHA-256 of a few bytes without OpenSSL, which takes a fifteenth of a start to load."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash as Hash
    from hashlib import sha256 as _sha256
else:
    try:
        if sys.version_info >= (3, 12):  # Python's own module has another name there
            from _sha2 import sha256 as _sha256
        else:
            from _sha256 import sha256 as _sha256
    except ImportError:  # Python was built without it
        from hashlib import sha256 as _sha256

MANY_BYTES = 2**18  # from which on OpenSSL is faster: processors have instructions for it


def sha256(content: bytes) -> Hash:
    """The SHA-256 of some bytes."""
    if len(content) < MANY_BYTES:
        return _sha256(content)
    import hashlib  # OpenSSL

    return hashlib.sha256(content)
