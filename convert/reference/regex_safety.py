"""Token patterns that take exponential or quadratic time, found by timing them on hostile text.

A backtracking matcher can need time that grows with the square of a text's length, or doubles
with each character: https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service.
A match can't be interrupted, so a process of its own is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

from onnxlet.convert.reference.hostile_texts import hostile
from onnxlet.function.inputs.columns import LONGEST_TEXT

SURE = frozenset(
    {r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\b\w\w+\b", r"\b\w+\b", r"\w+", r"\S+", r"[^\s]+"}
)
LENGTHS = (30, 1_000, 10_000, LONGEST_TEXT)
SHORT = 1_000  # characters; a limit of length, which many texts would be beyond, is no way out
SLOWEST = 1.0  # seconds of work on a text as long as any; what is linear takes hundredths
PATIENCE = 60.0  # seconds for all, where no timer ends the process
KEPT_TEXTS = 12  # texts that were the slowest at one length are tried at the next

# Texts are ranked by the clock on the wall, at best of three: what else the machine does makes some
# of them longer, but the processor's own clock may stand still for milliseconds, and shows nothing.
TIMER = """
import json, re, signal, sys, time
pattern, texts, lengths, slowest, kept = json.load(sys.stdin)
find = re.compile(pattern).findall
for length in lengths:
    taken = []
    for before, unit, end in texts:
        text = before + unit * max(1, (length - len(before) - len(end)) // len(unit)) + end
        print(json.dumps([before, unit, length]), flush=True)
        times = []
        for _ in range(3 if length < lengths[-1] else 1):
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_VIRTUAL, slowest)
            start = time.perf_counter()
            find(text)
            times.append(time.perf_counter() - start)
        taken.append((min(times), before, unit, end))
    if length >= 1000:
        texts = [text for _, *text in sorted(taken, reverse=True)[:kept]]
"""


def runaway(pattern: str) -> str:
    """Why a pattern is not safe on text from clients; empty where it is."""
    return _timed(pattern)[0]


def hopeless(pattern: str) -> str:
    """Why a pattern is not even safe on short text; empty where a limit of length helps."""
    reason, length = _timed(pattern)
    return reason if length <= SHORT else ""


@cache
def _timed(pattern: str) -> tuple[str, int]:
    """Why a pattern is not safe, and on how many characters."""
    if pattern in SURE:
        return "", LONGEST_TEXT
    command = [sys.executable, "-I", "-c", TIMER]
    asked = json.dumps([pattern, hostile(pattern), LENGTHS, SLOWEST, KEPT_TEXTS])
    try:
        done = subprocess.run(  # noqa: S603 # this interpreter, and a script of our own
            command, input=asked, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        return _reason(pattern, printed.decode() if isinstance(printed, bytes) else printed)
    return _reason(pattern, done.stdout) if done.returncode else ("", LONGEST_TEXT)


def _reason(pattern: str, printed: str) -> tuple[str, int]:
    before, unit, length = json.loads(printed.splitlines()[-1])
    reason = (
        f"its token_pattern {pattern!r} takes more than {SLOWEST:g} s for {length} characters of "
        f"{unit!r} over and over{f' after {before!r}' if before else ''}"
    )
    return reason, length
