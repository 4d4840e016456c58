"""Token patterns that run away: found by timing them on hostile text, before anybody sends it.

A backtracking matcher can need time that grows with the square of a text's length, or doubles
with each character: https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service.
A match can't be interrupted, so a process of its own is timed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

from function.signature import LONGEST_TEXT

SURE = frozenset(
    {r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\b\w\w+\b", r"\b\w+\b", r"\w+", r"\S+", r"[^\s]+"}
)
LENGTHS = (30, 1_000, 10_000, LONGEST_TEXT)
SLOWEST = 1.0  # seconds of work on a text as long as any; what is linear takes hundredths
PATIENCE = 60.0  # seconds for all, where no timer ends the process
OF_PATTERN = 12  # of the pattern's own characters and words, so many are tried

TIMER = """
import json, re, signal, sys
pattern, texts, slowest = json.load(sys.stdin)
find = re.compile(pattern).findall
for unit, end, length in texts:
    print(json.dumps([unit, length]), flush=True)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_VIRTUAL, slowest)
    find(unit * (length // len(unit)) + end)
"""


@cache
def runaway(pattern: str) -> str:
    """Why a pattern can't be let loose on text that anybody sends; empty where it can."""
    if pattern in SURE:
        return ""
    texts = [[unit, end, n] for n in LENGTHS for unit in hostile(pattern) for end in ("", "!\n")]
    command = [sys.executable, "-c", TIMER]
    asked = json.dumps([pattern, texts, SLOWEST])
    try:
        done = subprocess.run(  # noqa: S603 # this interpreter, and a script of our own
            command, input=asked, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        return _reason(pattern, printed.decode() if isinstance(printed, bytes) else printed)
    return _reason(pattern, done.stdout) if done.returncode else ""


def _reason(pattern: str, printed: str) -> str:
    unit, length = json.loads(printed.splitlines()[-1])
    return (
        f"its token_pattern {pattern!r} takes more than {SLOWEST:g} s "
        f"for {length} characters of {unit!r} over and over"
    )


def hostile(pattern: str) -> Iterator[str]:
    """What is repeated to make texts: the usual, and what the pattern itself is made of."""
    plain = re.sub(r"\(\?[a-zA-Z]+\)|\\[a-zA-Z]", " ", pattern)
    words = re.findall(r"\w+", plain)
    characters = [character for character in dict.fromkeys(plain) if character not in " \\"]
    usual = ("a", "1", " ", "\n", "é", "中", "a ", "a1", "a-", "a'", "a.", "-", "_", "aA1!? é\n")
    several = ["".join(words), "".join(characters), *("a" + c for c in characters[:OF_PATTERN])]
    found = (*usual, *characters[:OF_PATTERN], *words[:OF_PATTERN], *several)
    return iter(unit for unit in dict.fromkeys(found) if unit)
