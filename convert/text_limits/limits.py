"""How long a text in each column may be: no one can interrupt the calls that cut and count it.

While one call of C code works on a text, such as a search for every token, the interpreter
answers nobody else. So the front end is run in a process of its own on texts that are costly for
it, longer and longer ones, and a column takes what leaves no pause that anybody would notice.
The lengths are few and far between, and a limit that was set by an earlier build is kept where
it would do: so a build is the same again, though no two measurements are.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from onnxlet.convert.errors import Refusal
from onnxlet.convert.progress import Report
from onnxlet.convert.text_limits.regex_safety import (
    STOPPED,
    SURE,
    Costly,
    Hostile,
    costly_searches,
    hostile,
    run_apart,
    slow_steps,
)
from onnxlet.folders import ROOT
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.front_end import composed
from onnxlet.function.inputs.sentences import SentenceFeed, split_sentences
from onnxlet.function.inputs.text import Count, Cut, TokenFeed, analyser

LENGTHS = (100, 300, 1_000, 3_000, 10_000, 30_000, LONGEST_TEXT)
AT_MOST = 0.1  # seconds for which the interpreter may be held
WANTED = 0.05  # seconds here: a limit is meant for slower processors too
TICK = 0.0005  # seconds between two checks of the clock
KEPT_TEXTS = 5  # texts that held it longest at one length are tried at the next
KEPT_OF_SHORT = 30  # likewise of functions of the user's own, which may be slow on all
FEWEST = 1_000  # characters from which the longest differ by more than chance
FOLLOWED = "followed"  # how the names of steps begin that are the user's own functions
LONGEST_WORK = 1.0  # seconds that one text may take a function of the user's own
MOST_MEMORY = 256 * 2**20  # bytes that it may need
FEW_WORDS = 3  # in an n-gram: with a pattern that is sure, a text of any length is quick

# What grows when it is taken apart, or is many different tokens.
SPECIAL = (
    Hostile("", "\u0301\u0316", ""),  # put in order, which they are not
    Hostile("", "a\u0301", ""),
    Hostile("", "\ufdfa", ""),
    Hostile("", "İ", ""),
    Hostile("", "가", ""),
    Hostile("", "aa ", ""),
)
# Numbers that a function of the user's own may count to, or fill so many bytes; larger ones could
# take all memory of this machine, before they are known to.
NUMBERS = (Hostile("9" * 8, " ", ""), Hostile("9" * 9, " ", ""))
SENTENCES = ("a. ", "A. ", "好。", "1.", "Mr. ", "a.\n", ". ", "…", "。”")
CHILD = (  # it finds modules where this process does: PYTHONPATH may name the current directory
    "import sys; sys.path[:] = {path!r}; "
    "from onnxlet.convert.text_limits.limits import main; main()"
)


def with_text_limits(
    manifest: dict[str, Any],
    rows: Sequence[Sequence[Any]],
    earlier: Mapping[str, Any],
    report: Report,
) -> dict[str, Any]:
    """A manifest whose columns of text say how long one may be, where that is less than any.

    `rows` are held out, in signature order; `earlier` is the manifest of the highest version that
    is there, or empty; `report` is called with a line for each limit. Raises Refusal where a held-
    out text is longer.
    """
    before = {entry["name"]: entry.get("longest", LONGEST_TEXT) for entry in _columns(earlier)}
    limits: dict[str, int] = {}
    for feed in manifest["graph"]["inputs"]:
        for asked in _measured(feed):
            for name in feed["columns"]:
                limit = _chosen(pauses(json.dumps(asked)), before.get(name))
                limits[name] = min(limit, limits.get(name, LONGEST_TEXT))
    columns = []
    for position, entry in enumerate(_columns(manifest)):
        limit = limits.get(entry["name"], LONGEST_TEXT)
        if limit < LONGEST_TEXT:
            _check(entry["name"], [row[position] for row in rows], limit)
            report(
                f"column '{entry['name']}' takes texts of up to {limit:,} characters: a longer one "
                f"could keep all other requests waiting for {AT_MOST:g} s"
            )
        columns.append(entry | {"longest": limit} if limit < LONGEST_TEXT else entry)
    signature = {**manifest["signature"], "inputs": _regrouped(manifest, iter(columns))}
    return {**manifest, "signature": signature}


def _measured(feed: Mapping[str, Any]) -> Iterator[Any]:
    """The settings of what may be slow on long texts: cutting tokens, and steps that search."""
    tokens = feed.get("tokens")
    if tokens is not None:
        yield tokens
    if "sentences" in feed:
        yield {"sentences": feed}
    if any(step["step"].startswith(FOLLOWED) for step in feed.get("steps", ())):
        yield {FOLLOWED: feed["steps"]}
    if slow := slow_steps((tokens or feed).get("steps", ())):
        yield {"slow": slow}


def _columns(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    inputs = manifest.get("signature", {}).get("inputs", [])
    return [column for tensor in inputs for column in tensor.get("columns", [tensor])]


def _regrouped(manifest: Mapping[str, Any], columns: Iterator[Any]) -> list[dict[str, Any]]:
    return [
        {**tensor, "columns": [next(columns) for _ in tensor["columns"]]}
        if "columns" in tensor
        else next(columns)
        for tensor in manifest["signature"]["inputs"]
    ]


def _check(name: str, cells: Sequence[Any], limit: int) -> None:
    lengths = [len(cell) if isinstance(cell, str) else 0 for cell in cells]
    if max(lengths, default=0) > limit:
        row = lengths.index(max(lengths))
        raise Refusal(
            f"X_test, row {row}, column '{name}': a text of {lengths[row]:,} characters; cutting "
            f"more than {limit:,} into tokens, or searching them, could keep all other requests "
            f"waiting for {AT_MOST:g} s",
            f"Cut texts to {limit:,} characters before fit and in requests, or have less done to "
            "them: no strip_accents, shorter n-grams, patterns whose repeats share nothing.",
        )


def _chosen(found: Mapping[int, float], earlier: int | None) -> int:
    """The greatest length up to which all pauses are short, or an earlier limit that still does.

    Of the longest pause in seconds at each length, as far as was measured; 0 characters where even
    the fewest take too long.
    """
    short = [length for length in LENGTHS if found.get(length, AT_MOST) <= WANTED]
    position = next((n for n, length in enumerate(LENGTHS) if length not in short), len(LENGTHS))
    limit = LENGTHS[position - 1] if position else 0
    near = LENGTHS[max(position - 2, 0) : position + 1]
    if earlier is not None and earlier in near and found.get(earlier, 2 * AT_MOST) <= AT_MOST:
        return earlier
    return limit


@cache
def pauses(tokens: str) -> Mapping[int, float]:
    """For how long a front end holds the interpreter, at most.

    Of the settings of a graph input, as JSON: seconds by length of text, up to the last one where
    they are at most AT_MOST.
    """
    if _is_sure(json.loads(tokens)):
        return dict.fromkeys(LENGTHS, 0.0)
    path = [os.fspath(ROOT), *filter(None, sys.path)]
    done = run_apart(["-P", "-c", CHILD.format(path=path)], tokens)
    if done.returncode not in (0, STOPPED):  # stopped in one length, the others are known
        raise RuntimeError(f"a text's front end can't be timed: {done.stderr[-500:]}")
    return dict(json.loads(line) for line in done.stdout.splitlines())


def _is_sure(tokens: Mapping[str, Any]) -> bool:
    """Whether the front end takes linear time, with a pattern that is known: nothing to measure."""
    return (
        tokens.get("analyzer") == "word"
        and "steps" not in tokens
        and "functions" not in tokens
        and tokens["token_pattern"] in SURE
        and not tokens["strip_accents"]
        and tokens["ngram_range"][1] <= FEW_WORDS
    )


# in a process of its own


def main() -> None:
    """Print the longest pause at each length of text, up to the first where it is too long."""
    asked = json.load(sys.stdin)
    works = list(_works(asked))
    own = FOLLOWED in asked or "functions" in asked
    for length in LENGTHS:
        held, costs = [], []
        for work, text in works:
            once = partial(work, text(length))
            seconds = _seconds_of(once) if own else 0.0
            if seconds > LONGEST_WORK:
                return
            pause = longest_pause(once)
            if WANTED / 2 < pause < 3 * AT_MOST:  # chance makes it longer, and never shorter
                pause = min(pause, longest_pause(once))
            if pause > AT_MOST:
                return
            held.append(pause)
            costs.append(pause + seconds)
        print(json.dumps([length, max(held)]), flush=True)
        if length >= FEWEST or own:
            kept = KEPT_TEXTS if length >= FEWEST else KEPT_OF_SHORT
            order = sorted(range(len(works)), key=costs.__getitem__, reverse=True)
            works = [works[position] for position in order[:kept]]


def _works(asked: Mapping[str, Any]) -> Iterator[Costly]:
    if "sentences" in asked:
        return _costly_documents(asked["sentences"])
    if "slow" in asked:
        return costly_searches(asked["slow"])
    return _costly_functions(asked[FOLLOWED]) if FOLLOWED in asked else _costly_cuts(asked)


def _seconds_of(work: Callable[[], Any]) -> float:
    """The seconds that work takes as a whole; infinite where it takes too much memory."""
    before = _most_memory()
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    return seconds if _most_memory() - before <= MOST_MEMORY else math.inf


def _most_memory() -> int:
    """Bytes that the process has had so far; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _costly_functions(steps: Sequence[Mapping[str, Any]]) -> Iterator[Costly]:
    """Texts that may be costly for functions of the user's own, by their length."""
    change = composed(steps)
    patterns = [pattern for step in steps for pattern in _patterns_of(step)]
    for text in (*(number.of for number in NUMBERS), *_texts(patterns)):
        yield change, text


def _costly_documents(feed: Mapping[str, Any]) -> Iterator[Costly]:
    """Documents that may be costly to cut into sentences and count, by their length."""
    cut = SentenceFeed(feed, (0, 0))
    for text in (*_texts([r"\S+"]), *(Hostile("", unit, "").of for unit in SENTENCES)):
        yield lambda document: cut.tensors([split_sentences(document)]), text


def _patterns_of(program: Mapping[str, Any]) -> list[str]:
    return [pattern for pattern, _ in program.get("patterns", {}).values()]


def _texts(patterns: Sequence[str]) -> list[Callable[[int], str]]:
    found = dict.fromkeys(text for p in patterns or [r"\S+"] for text in hostile(p))
    return [various, words, *(text.of for text in (*SPECIAL, *found))]


def _costly_cuts(tokens: Mapping[str, Any]) -> Iterator[Costly]:
    """Texts that are costly to cut and count, by their length."""
    cut = analyser(tokens)
    entry = {"name": "counts", "places": "places", "dtype": "float32"}
    count = TokenFeed({**entry, "columns": ["text"], "tokens": tokens}, (0, 0)).count
    functions = tokens.get("functions", {}).values()
    patterns = [tokens["token_pattern"]] if tokens["token_pattern"] else []
    patterns += [pattern for program in functions for pattern in _patterns_of(program)]
    for text in (*(number.of for number in NUMBERS if functions), *_texts(patterns)):
        yield partial(_cut_and_counted, cut, count), text


def _cut_and_counted(cut: Cut, count: Count, text: str) -> None:
    with suppress(Exception):  # a function of the user's own may raise for a text
        count(cut(text))


def various(length: int) -> str:
    """A text of so many characters, of which no four neighbours come twice."""
    return "".join(chr(0x4E00 + position * position * 7919 % 20_011) for position in range(length))


def words(length: int) -> str:
    """A text of so many characters, whose words all differ."""
    return " ".join(f"w{position:06}" for position in range(length // 8 + 1))[:length]


def longest_pause(work: Callable[[], Any]) -> float:
    """Seconds of work between two moments when another thread was let in."""
    clock = _clock(threading.get_ident())
    longest, done, ready = 0.0, threading.Event(), threading.Event()

    def watch() -> None:
        nonlocal longest
        last = clock()
        ready.set()
        while not done.is_set():
            time.sleep(TICK)
            longest, last = max(longest, (now := clock()) - last), now

    watcher = threading.Thread(target=watch)
    watcher.start()
    ready.wait()
    work()
    done.set()
    watcher.join()
    return longest


def _clock(thread: int) -> Callable[[], float]:
    """The time that a thread has worked, where the system knows: other processes don't count."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.perf_counter
    clock = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(clock)
