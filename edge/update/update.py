"""An update as a whole, and going back by hand.

An update can be interrupted at any step, and the next run resumes it:

find → fetch → check → unpack beside the slots → replay golden rows, by its own code → move into the
idle slot → switch → restart → request golden rows, over the socket → keep, or roll back.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from onnxlet.edge.device.slots import DevicePaths, idle_slot, live_slot, point, switch, sync_folder
from onnxlet.edge.update import confirm, model_updates
from onnxlet.edge.update.errors import Failed, Killed, Refused
from onnxlet.edge.update.fetch import NO_ROOM_HINT, download, no_room
from onnxlet.edge.update.find import CandidateRelease, find_archive, find_in_channel, is_archive
from onnxlet.edge.update.health import restart_faults, slot_faults
from onnxlet.edge.update.history import (
    MOST_ATTEMPTS,
    History,
    is_switched,
    locked,
    read_history,
    write_history,
)
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.signature import check_signed, read_keys
from onnxlet.edge.update.status import called, release_of
from onnxlet.edge.update.unpack import check_and_unpack
from onnxlet.folders import typed
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.repository import versions_in

INCOMING, OUTGOING = ".incoming", ".outgoing"


@contextmanager
def exclusively(paths: DevicePaths) -> Iterator[None]:
    """Hold the device's lock within the block.

    Raises WrongUse where no release is installed that could be updated, Failed where another
    process holds it, or the disk is full or fails.
    """
    if live_slot(paths) is None:
        raise WrongUse(
            f"no release is installed in {paths.data}", f"{typed('edge', 'install')} does that."
        )
    with locked(paths):
        yield


def update(setup: Setup, source: str) -> list[str]:
    """Install what a source has for this device, and keep it if it answers as at build.

    Returns what was done. Raises Unreachable where it can't be fetched; Refused where it is not for
    this device, or fails here, and what served before serves; Failed where the disk is full or
    fails, or another update runs.
    """
    with exclusively(setup.paths):
        keys = read_keys(setup.paths.keys)
        history = settle(setup)
        if is_archive(source):
            one = find_archive(source, keys, setup.device, history, setup.web)
            found = [one] if one else []
        else:
            found, number = find_in_channel(
                source, keys, setup.device, setup.identity, history, setup.web
            )
            index = f"index {setup.device.channel}"
            if history.highest.get(index) != number:
                history = write_history(setup.paths, history.accept(index, number))
        done = []
        for each in found:
            history = _take(setup, history, each)
            done.append(f"{each.offer}: taken")
        return done or [_nothing_newer(setup.paths, history)]


def _nothing_newer(paths: DevicePaths, history: History) -> str:
    """That, and where an older bundle is live than was accepted here, the way to a newer one."""
    live, highest = release_of(paths.live), history.highest.get("bundle", 0)
    nothing = "nothing newer for this device"
    if (live or 0) >= highest:
        return nothing
    return (
        f"{nothing}: release {highest} was accepted before, and {called(live)} is live. A higher "
        "number is taken; or install the archive by hand: sudo python3 onnxlet-….zip install"
    )


def settle(setup: Setup) -> History:
    """Finish an interrupted update, and remove what it left; the history then.

    The live release is confirmed and counts as accepted.
    """
    paths = setup.paths
    for name in (INCOMING, OUTGOING):
        shutil.rmtree(paths.data / name, ignore_errors=True)
    history = _finish_attempt(setup, read_history(paths))
    paths.back.unlink(missing_ok=True)
    highest = max(release_of(paths.live) or 0, history.highest.get("bundle", 0))
    return replace(history, highest={**history.highest, "bundle": highest})


def _finish_attempt(setup: Setup, history: History) -> History:
    """Confirm or undo the update that was interrupted, if there is one."""
    paths, attempt = setup.paths, history.attempt
    if attempt is None:
        return history
    cut_off = f"it was cut off {attempt.tries} times before it had proven itself"
    over = attempt.tries >= MOST_ATTEMPTS
    switched = is_switched(paths, attempt)
    if not switched and not attempt.models:
        return confirm.give_up_release(setup, history, cut_off) if over else history
    setup.report(f"{attempt.kind} release {attempt.release} was cut off: proving it now")
    history = replace(history, attempt=attempt._replace(tries=attempt.tries + 1))
    write_history(paths, history)
    try:
        conclude = confirm.confirm_bundle if switched else confirm.confirm_models
        return conclude(setup, history, [cut_off] if over else [])
    except Refused as error:
        setup.report(error.message)
        return read_history(paths)


def _take(setup: Setup, history: History, found: CandidateRelease) -> History:
    """Fetch one archive, check it, and have it served."""
    paths, offer = setup.paths, found.offer
    archive = _fetch(setup, found)
    history = write_history(paths, history.begin(offer.kind, offer.release))
    incoming = paths.data / INCOMING
    try:
        if (free := shutil.disk_usage(paths.data).free) < offer.unpacked:
            raise Failed(no_room(paths.data, offer.unpacked, free), NO_ROOM_HINT)
        setup.report(f"unpacking {offer}")
        models = check_and_unpack(archive, incoming, offer)
        setup.report("replaying its golden rows")
        if offer.kind == "bundle":
            faults = slot_faults(incoming)
        else:
            faults = slot_faults(paths.live.resolve(), "--models", str(incoming / "models"))
            faults += model_updates.clashes(paths, incoming, models)
        if faults:
            raise Refused(f"{offer} fails here: {'; '.join(faults)}")
    except Refused as error:
        shutil.rmtree(incoming, ignore_errors=True)
        shutil.rmtree(archive.parent, ignore_errors=True)
        confirm.give_up_release(setup, history, error.message)
        raise
    except Killed:  # perhaps the release's fault: after some attempts it is given up
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    except (Failed, OSError, KeyboardInterrupt):  # not the release's fault: it does not count
        shutil.rmtree(incoming, ignore_errors=True)
        with suppress(OSError):
            write_history(paths, replace(history, attempt=None))
        raise
    put = _put_bundle if offer.kind == "bundle" else _put_models
    try:
        return put(setup, history, models)
    finally:
        shutil.rmtree(archive.parent, ignore_errors=True)


def _fetch(setup: Setup, found: CandidateRelease) -> Path:
    """Download the archive, and verify its signature."""
    folder = setup.paths.data / "download"
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


def _put_bundle(setup: Setup, history: History, models: dict[str, int]) -> History:
    paths = setup.paths
    slot, attempt = idle_slot(paths), history.under_way
    move_into_slot(paths, slot)
    back = live_slot(paths) or ""
    history = replace(history, attempt=attempt._replace(back=back))
    write_history(paths, history)
    point(paths.back, back)  # after a power cut the previous code decides: the new may be broken
    setup.report(f"switching to slot {slot}")
    switch(paths, slot)
    return confirm.confirm_bundle(setup, history, [])


def move_into_slot(paths: DevicePaths, slot: str) -> None:
    """Replace an idle slot by what was unpacked; a slot is whole, or does not exist."""
    outgoing = paths.data / OUTGOING
    if paths.slot(slot).exists():
        paths.slot(slot).rename(outgoing)
    (paths.data / INCOMING).rename(paths.slot(slot))
    sync_folder(paths.data)
    shutil.rmtree(outgoing, ignore_errors=True)


def _put_models(setup: Setup, history: History, models: dict[str, int]) -> History:
    paths, attempt = setup.paths, history.under_way
    new = {n: v for n, v in models.items() if not (paths.models / n / str(v)).exists()}
    history = replace(history, attempt=attempt._replace(models=new))
    write_history(paths, history)
    model_updates.put(paths, paths.data / INCOMING, new)
    shutil.rmtree(paths.data / INCOMING, ignore_errors=True)
    return confirm.confirm_models(setup, history, [])


def rollback(setup: Setup) -> str:
    """Serve from the idle slot, after checks; the current release is not taken again.

    Raises Refused where there is none, it was given up before, or does not answer, and nothing has
    changed; Failed where the disk fails, or an update runs.
    """
    paths = setup.paths
    with exclusively(paths):
        before = settle(setup)
        slot, current = idle_slot(paths), live_slot(paths)
        release, given_up = release_of(paths.slot(slot)), release_of(paths.live)
        if current is None or not paths.slot(slot).is_dir():
            raise Refused(
                "there is no release to go back to",
                f"{typed('edge', 'status')} shows what is there.",
            )
        if why := before.broken.get("bundle", {}).get(release or 0):
            raise Refused(
                f"release {release} in slot {slot} was given up: {why}",
                "Publish the one that you want under a higher number.",
            )
        if faults := slot_faults(paths.slot(slot)):
            raise Refused(f"slot {slot} does not answer as it should: {'; '.join(faults)}")
        if given_up is not None:
            why = f"rolled back by hand to {called(release)}"
            write_history(paths, before.give_up("bundle", given_up, why))
        switch(paths, slot)
        if faults := confirm.live_faults(setup):
            switch(paths, current)
            write_history(paths, before)
            restart_faults(setup.service)
            raise Refused(f"{called(release)} does not serve: {'; '.join(faults)}")
        return f"slot {slot} serves, {called(release)}"


def roll_model_back(setup: Setup, name: str) -> str:
    """Remove the highest model-only version of a model; the previous one is served.

    Raises Refused where there is none, or it is named by a pin or an alias; Failed where the disk
    fails, or an update runs.
    """
    paths = setup.paths
    with exclusively(paths):
        settle(setup)
        versions = versions_in(paths.models / name)
        if not versions:
            raise Refused(
                f"no model-only update of '{name}' is installed",
                f"{typed('edge', 'rollback')}, without --model, goes back to the release before.",
            )
        if names := model_updates.names_of(paths, name, versions[-1], setup.pins):
            raise Refused(
                f"{name}/{versions[-1]} is named by {', '.join(names)}",
                "Name another version first: else the service would not start without this one.",
            )
        model_updates.take_away(paths, {name: versions[-1]})
        return f"{name}/{versions[-1]} is removed"
