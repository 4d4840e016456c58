"""What functions take from around them: the same to them as in Python, and nothing they change."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from onnxlet.convert.converters.text_functions.translation import translated
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.function.inputs.restricted_python import function_of

LIST = ["a", "b", "a"]
NUMBERS = [3, 1, 2]
DICT: dict[str, Any] = {"a": "x", "b": None, "n": 3}
OTHER = {"c": 1}
LETTERS = {97: "z", 98: None}
SET = {"a", "b"}
TEXTS = ("a b a", "a", "b", "", "c n", "a b")


def passed_on(text: str, words: list[str]) -> Any:
    return words == text.split(), len(words)


def looking(text: str, words: Any = LIST) -> Any:
    return [word for word in text.split() if word in words], words[0]


def aliased(text: str) -> Any:
    words = LIST
    mine = list(words)
    mine.append(text)
    mine += [text]
    return mine, words, len(mine)


def counted(text: str) -> Any:
    number = DICT["n"]
    number += 1
    total = DICT.get("n", 0)
    total += len(text)
    return number, total


def dict_again(text: str) -> Any:
    return OTHER if text else DICT


SAME: list[Callable[[str], Any]] = [
    lambda text: text.split() == LIST,
    lambda text: text.split() != LIST and LIST == ["a", "b", "a"],
    lambda text: text.split() + LIST,
    lambda text: LIST[1:] == text.split(),
    lambda text: (LIST[0], LIST[-1], LIST.count("a")),
    lambda text: [w for w in LIST if w in text],
    lambda text: "-".join(LIST) + str(LIST),
    lambda text: f"{LIST} {NUMBERS!r}",
    lambda text: LIST if text else NUMBERS,
    lambda text: isinstance(LIST, list),
    lambda text: isinstance(LIST, tuple),
    lambda text: LIST * 2,
    lambda text: sorted(LIST),
    lambda text: (max(NUMBERS), sum(NUMBERS, 1), min(NUMBERS, [9]), max(NUMBERS)),
    lambda text: list(zip(LIST, NUMBERS, strict=True)) + list(enumerate(LIST)),
    lambda text: passed_on(text, LIST),
    lambda text: looking(text),
    aliased,
    counted,
    functools.partial(passed_on, words=["a"]),
    lambda text: DICT["a"] + text,
    lambda text: [DICT.get(w, w) for w in text.split()],
    lambda text: [w in DICT for w in text.split()],
    lambda text: (list(DICT), len(DICT), sorted(DICT)),
    lambda text: DICT | OTHER,
    lambda text: (DICT | OTHER) == (OTHER | DICT),
    lambda text: DICT == OTHER,
    lambda text: dict_again(text) == DICT,
    lambda text: f"{DICT} {DICT!r}",
    lambda text: str([DICT, 1]) + str(DICT),
    lambda text: "%(a)s" % DICT,  # noqa: UP031
    lambda text: "%r" % DICT,  # noqa: UP031
    lambda text: text.translate(LETTERS),
    lambda text: [k for k in DICT if text and k != text],
    lambda text: text in SET,
    lambda text: len(SET | {text}) + len(SET & {text}),
    lambda text: set(text.split()) == SET,
]  # fmt: skip


def plain(value: Any) -> Any:
    """A value with the type of everything in it."""
    if isinstance(value, list | tuple):
        return type(value), [plain(each) for each in value]
    if isinstance(value, dict):
        return dict, [plain(pair) for pair in value.items()]
    return type(value), value


@pytest.mark.parametrize("position", range(len(SAME)))
def test_a_constant_is_what_it_is_in_python(position: int) -> None:
    function = SAME[position]
    program = translated(function, "function")
    served = function_of(**program)
    for text in TEXTS:
        assert plain(served(text)) == plain(function(text)), program


SEEN: list[str] = []
ANY: Any = SEEN
KNOWN: dict[str, str] = {}
MET: set[str] = set()
COUNT = itertools.count()
LEFT = iter(LIST)
TOTAL = 0


class Kept:
    """An attribute of a class."""

    seen: Any = []  # noqa: RUF012 - that somebody adds to


def closed() -> Callable[[str], Any]:
    seen: list[str] = []

    def remember(text: str) -> Any:
        mine = seen
        mine.append(text)
        return len(mine)

    return remember


def counted_on() -> Callable[[str], Any]:
    number = 0

    def count(text: str) -> Any:
        nonlocal number
        number += 1
        return number

    return count


def alias_of_list(text: str) -> Any:
    mine = SEEN
    mine.append(text)
    return len(mine)


def alias_that_is_extended(text: str) -> Any:
    mine = SEEN
    mine += [text]
    return len(mine)


def alias_of_dict(text: str) -> Any:
    mine = KNOWN
    mine |= [(text, "a")]
    return sorted(mine)


def alias_of_set(text: str) -> Any:
    mine = MET
    mine |= {text}
    return len(mine)


def one_of_two(text: str) -> Any:
    mine = SEEN if text else LIST
    mine.append(text)
    return len(mine)


def in_a_loop(text: str) -> Any:
    for mine in (SEEN, LIST):
        mine.append(text)
    return len(SEEN)


def adds_to(text: str, seen: Any) -> Any:
    seen |= {text}
    return len(seen)


def by_default(text: str, seen: Any = MET) -> Any:
    seen |= {text}
    return len(seen)


def list_by_default(text: str, seen: Any = SEEN) -> Any:
    seen += [text]
    return text


def passed_on_to_change(text: str, seen: Any) -> Any:
    seen += [text]
    return len(seen)


def compared_default(text: str, words: Any = LIST) -> Any:
    return words == text.split()


def globally(text: str) -> Any:
    global TOTAL
    TOTAL += 1
    return TOTAL


def on_itself(text: str) -> Any:
    on_itself.seen = text  # type: ignore[attr-defined]
    return text


CHANGES = "has a constant that it changes"
REFUSED: list[tuple[Callable[[str], Any], str]] = [
    (alias_of_list, CHANGES),
    (alias_that_is_extended, CHANGES),
    (alias_of_dict, CHANGES),
    (alias_of_set, CHANGES),
    (one_of_two, CHANGES),
    (in_a_loop, CHANGES),
    (closed(), CHANGES),
    (by_default, CHANGES),
    (lambda text: adds_to(text, MET), "goes through a set"),
    (functools.partial(adds_to, seen=MET), "goes through a set"),
    (list_by_default, CHANGES),
    (lambda text: passed_on_to_change(text, SEEN), CHANGES),
    (lambda text: passed_on_to_change(seen=SEEN, text=text), CHANGES),
    (functools.partial(passed_on_to_change, seen=SEEN), CHANGES),
    (compared_default, "does other than look into words, a list that is its default"),
    (lambda text: [ANY.append(text), text], "has a constant that it changes"),
    (lambda text: [SEEN.pop(), text], ".pop is not followed"),
    (lambda text: [KNOWN.setdefault(text, text)], ".setdefault is not followed"),
    (lambda text: [KNOWN.update(a=text)], ".update is not followed"),
    (lambda text: [ANY.__setitem__(0, text)], ".__setitem__ is not followed"),
    (lambda text: [Kept.seen.append(text)], "has a constant that it changes"),
    (lambda text: Kept.seen, ".seen is not followed"),
    (lambda text: [next(COUNT), text], "calls next, which is not followed"),
    (lambda text: list(zip(COUNT, text, strict=False)), "takes a count from around it"),
    (lambda text: list(LEFT), "takes a list_iterator from around it"),
    (SEEN.append, "calls list.append, which is not followed"),
    (lambda text: [(a := text), a], "NamedExpr is not followed"),
    (counted_on(), "Nonlocal is not followed"),
    (globally, "Global is not followed"),
    (on_itself, "writing to .seen is not followed"),
    (functools.lru_cache(lambda text: text), "is no function but an object"),
]


@pytest.mark.parametrize("position", range(len(REFUSED)))
def test_a_function_that_remembers_is_refused(position: int) -> None:
    function, reason = REFUSED[position]
    with pytest.raises(Unsupported) as caught:
        translated(function, "function")
    assert reason in str(caught.value)
    assert caught.value.hint
