"""Whether a scoring that has begun may be gone on with, and what is left of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from onnxlet.convert.progress import Report
from onnxlet.convert.score.journal import AFRESH, LOCK, Journal, by_part, sums
from onnxlet.convert.score.planning import File, part_names
from onnxlet.convert.score.storage import HALF_WRITTEN, LocalFolder, Storage, storage_of, tidy
from onnxlet.convert.score.tasks import BAD, Destination, Options, ScoreTask
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import GRAPH, Model

Line = dict[str, Any]
SHOWN = 5
DIGITS = ("numpy", "onnxruntime")  # packages whose versions may change last digits


def head_of(
    source: str, files: Sequence[File], tasks: Sequence[ScoreTask], model: Model, options: Options
) -> Line:
    """What is scored, and how, as the journal keeps it; of each file how many parts it has."""
    parts = Counter(task.file for task in tasks)
    return {
        "format": 1,
        "source": source,
        "model": {"name": model.name, "version": model.version, "files": model.manifest["files"]},
        "options": {**asdict(options), "keep": list(options.keep)},
        "packages": {name: version(name) for name in DIGITS},
        "files": {
            file.entry.path: [*file.entry[1:], file.ends, parts[file.entry.path]] for file in files
        },
    }


def check(journal: Journal, head: Line, target: Destination, overwrite: bool) -> None:
    """Begin a journal, or see that what has begun is the same.

    Raises WrongUse where something else was scored, or OUT holds what was not scored.
    """
    if journal.head is None:
        _check_empty(target, overwrite)
    elif changed := changes(journal, head):
        if journal.lines and not overwrite:  # where no part is done, there is nothing to lose
            listed = "".join(f"\n  {each}" for each in changed[:SHOWN])
            raise WrongUse(
                f"OUT: '{target.out}' was begun with something else:{listed}",
                f"{AFRESH} Or write elsewhere.",
            )
        _remove(journal.head["files"], journal.head["files"], target)
    else:
        if journal.head != head:  # in what may differ
            was = journal.head["files"]
            _remove(was, [path for path in was if was[path] != head["files"][path]], target)
            journal.begin(head, journal.lines)
        return
    journal.begin(head)


def changes(journal: Journal, head: Line) -> list[str]:
    """What is not as it was, in words; empty where the scoring may go on."""
    was = journal.head or {}
    found = _changed_model(was["model"], head["model"])
    for name, one in was["packages"].items():
        if (other := head["packages"].get(name)) != one:
            found.append(f"{name} was {one}, and is {other}: answers may differ in last digits")
    for name, one in was["options"].items():
        if (other := head["options"].get(name)) == one:
            continue
        if name == "on_error" and not sums(journal.lines)[1]:
            continue  # no row was bad: all parts are as they would be
        found.append(f"--{name.replace('_', '-')} was {_shown(one)}, and is {_shown(other)}")
    return found + _changed_files(was["files"], head["files"], journal.lines)


def _shown(value: Any) -> str:
    return "not given" if value in (None, []) else str(value)


def _changed_model(was: Line, now: Line) -> list[str]:
    if was == now:
        return []
    one, other = (f"{each['name']} version {each['version']}" for each in (was, now))
    if one != other:
        return [f"the model was {one}, and is {other}"]
    same = was["files"].get(GRAPH) == now["files"].get(GRAPH)
    return [f"{one} was built again: its {'files are' if same else 'graph is'} another"]


def _changed_files(was: Line, now: Line, lines: Sequence[Line]) -> list[str]:
    """Files that are not as they were, but for those of which no part is done."""
    begun = {line["file"] for line in by_part(lines).values()}
    whole = any("done" in line for line in lines)
    found = [f"'{path}' is gone from IN" for path in was if path not in now]
    found += [f"'{path}' is new in IN" for path in now if path not in was]
    found += [
        f"'{path}' has changed since"
        for path in now
        if path in was and was[path] != now[path] and (path in begun or whole)
    ]
    return found


def _check_empty(target: Destination, overwrite: bool) -> None:
    """See that nothing is lost or mixed up where a scoring begins."""
    if target.file is not None:
        if storage_of(target.folder).entry(target.file) is not None and not overwrite:
            raise WrongUse(
                f"OUT: there is '{target.out}' already",
                "--overwrite replaces it; or write elsewhere.",
            )
        return
    every = (entry.path for entry in storage_of(target.work).entries())
    there = next(
        (path for path in every if not HALF_WRITTEN.fullmatch(path) and path != LOCK), None
    )
    if there is not None:
        raise WrongUse(
            f"OUT: '{target.out}' is a folder with something else in it, such as '{there}'",
            "Name a new folder, or an empty one.",
        )


def _remove(files: Mapping[str, Sequence[Any]], some: Iterable[str], target: Destination) -> None:
    """Remove the parts of some of a journal's files, and those that a kill left without a line."""
    work, name = storage_of(target.work), part_names(list(files), target.form)
    for path in some:
        for number in range(files[path][-1]):
            work.remove(name(path, number))
            work.remove(f"{BAD}/{name(path, number)}")
    if target.file is not None:
        storage_of(target.folder).remove(target.side_name)


def remaining_tasks(
    tasks: Sequence[ScoreTask], journal: Journal, work: Storage, report: Report
) -> list[ScoreTask]:
    """The parts that are still to do; one that is not as it was written is done again."""
    tidy(work)
    lines = by_part(journal.lines)
    left = [task for task in tasks if not _is_there(task, lines.get(task.name), work)]
    lost = [task.name for task in left if task.name in lines]
    if lost:
        report(f"note: {len(lost)} parts are not as they were written, and are done again")
        journal.begin(journal.head or {}, [lines[name] for name in lines if name not in lost])
    return left


def remove_parts(tasks: Iterable[ScoreTask], work: Storage) -> None:
    """Remove the parts of what has become one file, those that a kill left among them."""
    parts = {name for task in tasks for name in (task.name, task.side)}
    for path in [entry.path for entry in work.entries()]:
        if path in parts:
            work.remove(path)


def _is_there(task: ScoreTask, line: Line | None, work: Storage) -> bool:
    if line is None:
        return False
    side = line["side"]
    return same_file(work, task.name, line["size"], line["sha256"]) and (
        side is None or same_file(work, task.side, side["size"], side["sha256"])
    )


def same_file(storage: Storage, path: str, size: int, sha256: str) -> bool:
    """Whether a file is as it was written; in S3 only its size is compared."""
    found = storage.entry(path)
    if found is None or found.size != size:
        return False
    if not isinstance(storage, LocalFolder):
        return True
    with storage.open(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def is_whole(journal: Journal, target: Destination) -> bool:
    """Whether OUT is a file, all is done, and it is as it was written."""
    ends = [line for line in journal.lines if "done" in line]
    if target.file is None or not ends:
        return False
    return same_file(storage_of(target.folder), target.file, ends[-1]["size"], ends[-1]["sha256"])
