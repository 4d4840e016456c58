"""Confirm an update if the service answers with it; else roll back, and record why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from onnxlet.edge.device.slots import switch
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Failed, Refused
from onnxlet.edge.update.health import restart_faults, service_faults
from onnxlet.edge.update.history import History, write_history
from onnxlet.edge.update.setup import Setup


def confirm_bundle(setup: Setup, history: History, faults: list[str]) -> History:
    """Confirm the live slot if the service answers from it, else switch back.

    Raises Refused where it answers from the previous slot only, Failed where it does from neither.
    """
    attempt = history.under_way
    faults = faults or live_faults(setup)
    if not faults:
        history = write_history(setup.paths, history.accept(attempt.kind, attempt.release))
        setup.paths.back.unlink(missing_ok=True)
        return history
    setup.report(f"going back to slot {attempt.back}")
    switch(setup.paths, attempt.back)
    why = "; ".join(faults)
    give_up_release(setup, history, why)
    setup.paths.back.unlink(missing_ok=True)
    restored = "The release before it is live again."
    raise _undone(setup, history, why, live_faults(setup), "the one before", restored)


def confirm_models(setup: Setup, history: History, faults: list[str]) -> History:
    """Confirm the versions added among the models if the service answers with them.

    Raises Refused where it is ready only without them, Failed where it is not ready either way.
    """
    paths, attempt = setup.paths, history.under_way
    new = dict(attempt.models or {})
    folders = {paths.models / n / str(v): (n, v) for n, v in new.items()}
    there = {folder: each for folder, each in folders.items() if folder.is_dir()}
    if len(there) < len(folders) and not faults:  # interrupted while they were added: start anew
        model_updates.take_away(paths, new)
        again = replace(history, attempt=attempt._replace(models=None))
        return write_history(paths, again)
    faults = faults or service_faults(setup.service, there)
    if not faults:
        history = write_history(paths, history.accept(attempt.kind, attempt.release))
        model_updates.prune(paths, setup.pins)
        return history
    model_updates.take_away(paths, new)
    why = "; ".join(faults)
    give_up_release(setup, history, why)
    restored = "The versions before it serve again."
    raise _undone(setup, history, why, service_faults(setup.service, {}), "without it", restored)


def _undone(
    setup: Setup, history: History, why: str, faults: list[str], without: str, restored: str
) -> Failed | Refused:
    """What is raised once a release is undone: it fails here.

    Where the service has faults without it, too, it may be tried again.
    """
    attempt = history.under_way
    if not faults:
        return Refused(
            f"{attempt.kind} release {attempt.release} fails here: {why}",
            f"{restored} {attempt.release} is not tried again.",
        )
    write_history(setup.paths, replace(history, attempt=None))
    return Failed(
        f"{attempt.kind} release {attempt.release} is not kept, since the service answers neither "
        f"with it nor without: {why}; {without}: {'; '.join(faults)}",
        f"Look at the service, which should answer at {setup.service.url}, and its log: journalctl "
        "--namespace=onnxlet -u onnxlet. Then try again.",
    )


def give_up_release(setup: Setup, history: History, why: str) -> History:
    """Record on the disk that the current release is given up."""
    attempt = history.under_way
    return write_history(setup.paths, history.give_up(attempt.kind, attempt.release, why))


def live_faults(setup: Setup) -> list[str]:
    """Restart the service from the live slot, and check it; return the faults."""
    if faults := restart_faults(setup.service):
        return faults
    try:
        models = models_in(setup.paths.live.resolve())
    except Exception as error:  # of any class: the slot's list can't be read
        return [f"{setup.paths.live}/bundle.json: {type(error).__name__} {error}"]
    return service_faults(setup.service, models)


def models_in(slot: Path) -> dict[Path, tuple[str, int]]:
    """A slot's models: name and version by directory."""
    models = json.loads((slot / "bundle.json").read_bytes())["models"]
    return {slot / "models" / name / str(v): (name, v) for name, v in models.items()}
