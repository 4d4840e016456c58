"""The whole of an update, in order; each step can be cut off and is taken up by the next run.

find → fetch → check → unpack beside the slots → golden rows, by its own code → into the idle slot
→ switch → restart → golden rows, over the socket → keep, or back.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from onnxlet.edge.device.slots import Places, idle_slot, live_slot, point, switch, sync_folder
from onnxlet.edge.update import model_updates, verdict
from onnxlet.edge.update.errors import Failed, Killed, Refused, WrongUse
from onnxlet.edge.update.fetch import download
from onnxlet.edge.update.find import Found, find_archive, find_in_channel, is_archive
from onnxlet.edge.update.lock import locked
from onnxlet.edge.update.memory import MOST_ATTEMPTS, Memory, is_switched, read_memory, write_memory
from onnxlet.edge.update.prove import slot_faults
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.signature import check_signed, read_keys
from onnxlet.edge.update.unpack import check_and_unpack

INCOMING, OUTGOING = ".incoming", ".outgoing"


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Nobody else changes what is installed here meanwhile.

    Raises:
        WrongUse: there is no release yet that another could take the place of.
        Failed: somebody does, or the card is full or fails.
    """
    if live_slot(places) is None:
        raise WrongUse(f"no release is installed in {places.data}", "edge install does that.")
    with locked(places):
        yield


def update(setup: Setup, source: str) -> list[str]:
    """Take what a source has for this device, and keep it if it answers as it should.

    Returns:
        What was done, in words.

    Raises:
        Unreachable: it can't be had.
        Refused: it is not for this device, or fails here; what served before serves.
        Failed: the card is full or fails, or another update runs.
    """
    with alone(setup.places):
        keys = read_keys(setup.places.keys)
        memory = settle(setup)
        if is_archive(source):
            one = find_archive(source, keys, setup.device, memory, setup.web)
            found = [one] if one else []
        else:
            found, number = find_in_channel(
                source, keys, setup.device, setup.identity, memory, setup.web
            )
            index = f"index {setup.device.channel}"
            if memory.highest.get(index) != number:
                memory = write_memory(setup.places, memory.accept(index, number))
        done = []
        for each in found:
            memory = _take(setup, memory, each)
            done.append(f"{each.offer}: taken")
        return done or ["nothing newer for this device"]


def settle(setup: Setup) -> Memory:
    """Bring an update to its end that was cut off, and clear away what it left.

    Returns:
        What is remembered then; what is live, has proven itself and counts as accepted.
    """
    places = setup.places
    for name in (INCOMING, OUTGOING):
        shutil.rmtree(places.data / name, ignore_errors=True)
    memory = _judge_what_was_cut_off(setup, read_memory(places))
    places.back.unlink(missing_ok=True)
    highest = max(_release(places), memory.highest.get("bundle", 0))
    return replace(memory, highest={**memory.highest, "bundle": highest})


def _judge_what_was_cut_off(setup: Setup, memory: Memory) -> Memory:
    places, attempt = setup.places, memory.attempt
    if attempt is None:
        return memory
    cut_off = f"it was cut off {attempt.tries} times before it had proven itself"
    over = attempt.tries >= MOST_ATTEMPTS
    switched = is_switched(places, attempt)
    if not switched and not attempt.models:
        return verdict.remember_end(setup, memory, cut_off) if over else memory
    setup.report(f"{attempt.kind} release {attempt.release} was cut off: proving it now")
    memory = replace(memory, attempt=attempt._replace(tries=attempt.tries + 1))
    write_memory(places, memory)
    try:
        judge = verdict.judge_bundle if switched else verdict.judge_models
        return judge(setup, memory, [cut_off] if over else [])
    except Refused as error:
        setup.report(error.message)
        return read_memory(places)


def _take(setup: Setup, memory: Memory, found: Found) -> Memory:
    """Fetch one archive, prove it, and have it serve."""
    places, offer = setup.places, found.offer
    archive = _fetch(setup, found)
    memory = write_memory(places, memory.begin(offer.kind, offer.release))
    incoming = places.data / INCOMING
    try:
        if (free := shutil.disk_usage(places.data).free) < offer.unpacked:
            raise Failed(f"{places.data}: expected {offer.unpacked} bytes free, got {free}")
        setup.report(f"unpacking {offer}")
        models = check_and_unpack(archive, incoming, offer).models
        setup.report("replaying its golden rows")
        if offer.kind == "bundle":
            faults = slot_faults(incoming)
        else:
            faults = slot_faults(places.live.resolve(), "--models", str(incoming / "models"))
            faults += model_updates.clashes(places, incoming, models)
        if faults:
            raise Refused(f"{offer} fails here: {'; '.join(faults)}")
    except Refused as error:
        shutil.rmtree(incoming, ignore_errors=True)
        shutil.rmtree(archive.parent, ignore_errors=True)
        verdict.remember_end(setup, memory, error.message)
        raise
    except Killed:  # nobody knows whose fault: after some tries it is given up
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    except (Failed, OSError):  # not the release's fault: it may be tried as often as it likes
        shutil.rmtree(incoming, ignore_errors=True)
        with suppress(OSError):
            write_memory(places, replace(memory, attempt=None))
        raise
    put = _put_bundle if offer.kind == "bundle" else _put_models
    try:
        return put(setup, memory, models)
    finally:
        shutil.rmtree(archive.parent, ignore_errors=True)


def _fetch(setup: Setup, found: Found) -> Path:
    """The archive, whole and as it was signed."""
    folder = setup.places.data / "download"
    part = folder / f"{found.offer.sha256}.zip"
    for other in folder.glob("*"):
        if other != part:
            other.unlink()
    folder.mkdir(exist_ok=True)
    setup.report(f"fetching {found.offer}, {found.offer.size} bytes")
    try:
        download(found.url, part, found.offer.size, setup.web)
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            blake2b = hashlib.file_digest(file, "blake2b").digest()
        if sha256 != found.offer.sha256:
            raise Refused(
                f"{found.url}: expected sha256 {found.offer.sha256}, got {sha256}",
                "It was altered, or broke on the way: try again.",
            )
        check_signed(found.signature, blake2b, found.url)
    except Refused:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return part


def _put_bundle(setup: Setup, memory: Memory, models: dict[str, int]) -> Memory:
    places = setup.places
    slot, attempt = idle_slot(places), memory.under_way
    move_into_slot(places, slot)
    back = live_slot(places) or ""
    memory = replace(memory, attempt=attempt._replace(back=back))
    write_memory(places, memory)
    point(places.back, back)  # whose code judges after a power cut: the new one may be no good
    setup.report(f"switching to slot {slot}")
    switch(places, slot)
    return verdict.judge_bundle(setup, memory, [])


def move_into_slot(places: Places, slot: str) -> None:
    """Have what was unpacked take an idle slot's place: a slot is whole, or it is not there."""
    outgoing = places.data / OUTGOING
    if places.slot(slot).exists():
        places.slot(slot).rename(outgoing)
    (places.data / INCOMING).rename(places.slot(slot))
    sync_folder(places.data)
    shutil.rmtree(outgoing, ignore_errors=True)


def _put_models(setup: Setup, memory: Memory, models: dict[str, int]) -> Memory:
    places, attempt = setup.places, memory.under_way
    new = {n: v for n, v in models.items() if not (places.models / n / str(v)).exists()}
    memory = replace(memory, attempt=attempt._replace(models=new))
    write_memory(places, memory)
    model_updates.put(places, places.data / INCOMING, new)
    shutil.rmtree(places.data / INCOMING, ignore_errors=True)
    return verdict.judge_models(setup, memory, [])


def _release(places: Places) -> int:
    """The number of the live slot; 0 where it has none."""
    try:
        return int(json.loads((places.live / "device.json").read_bytes())["release"] or 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0
