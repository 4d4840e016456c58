"""A plug-in of pytest: the fixture `prove`, with which a test holds what serves to an estimator.

It is loaded by every pytest of an environment that has onnxlet, and imports nothing until a test
asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from onnxlet.convert.prove.proof import Proof


@pytest.fixture(scope="session")
def prove() -> Callable[..., Proof]:
    """`onnxlet.prove`, which fails the test with what differs; takes the same arguments."""
    from onnxlet import prove as compared

    def proven(*args: Any, **options: Any) -> Proof:
        __tracebackhide__ = True
        proof = compared(*args, **{"report": lambda line: None, **options})
        if not proof.equal:
            pytest.fail(repr(proof), pytrace=False)
        return proof

    return proven
