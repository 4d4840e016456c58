"""Keep what was switched to if the service answers with it; else go back, and remember why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from onnxlet.edge.device.slots import switch
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Failed, Refused
from onnxlet.edge.update.memory import Memory, write_memory
from onnxlet.edge.update.prove import restart_faults, service_faults
from onnxlet.edge.update.setup import Setup


def judge_bundle(setup: Setup, memory: Memory, faults: list[str]) -> Memory:
    """Keep the slot that is live now if the service answers from it, else go back.

    Raises:
        Refused: the service does not, and does from the slot before.
        Failed: it does from neither.
    """
    attempt = memory.under_way
    faults = faults or live_faults(setup)
    if not faults:
        memory = write_memory(setup.places, memory.accept(attempt.kind, attempt.release))
        setup.places.back.unlink(missing_ok=True)
        return memory
    setup.report(f"going back to slot {attempt.back}")
    switch(setup.places, attempt.back)
    why = "; ".join(faults)
    remember_end(setup, memory, why)
    setup.places.back.unlink(missing_ok=True)
    if faults := live_faults(setup):
        raise _nobody_s_fault(setup, memory, f"{why}; the one before: {'; '.join(faults)}")
    raise Refused(
        f"bundle release {attempt.release} fails here: {why}",
        f"The release before it is live again. {attempt.release} is not tried again.",
    )


def judge_models(setup: Setup, memory: Memory, faults: list[str]) -> Memory:
    """Keep the versions that were put among the models if the service answers with them.

    Raises:
        Refused: the service does not, and is ready without them.
        Failed: it is not ready either way.
    """
    places, attempt = setup.places, memory.under_way
    new = dict(attempt.models or {})
    folders = {places.models / n / str(v): (n, v) for n, v in new.items()}
    there = {folder: each for folder, each in folders.items() if folder.is_dir()}
    if len(there) < len(folders) and not faults:  # cut off while they were put: again, from start
        model_updates.take_away(places, new)
        again = replace(memory, attempt=attempt._replace(models=None))
        return write_memory(places, again)
    faults = faults or service_faults(setup.service, there)
    if not faults:
        memory = write_memory(places, memory.accept(attempt.kind, attempt.release))
        model_updates.prune(places, setup.pins)
        return memory
    model_updates.take_away(places, new)
    why = "; ".join(faults)
    remember_end(setup, memory, why)
    if faults := service_faults(setup.service, {}):
        raise _nobody_s_fault(setup, memory, f"{why}; without it: {'; '.join(faults)}")
    raise Refused(
        f"models release {attempt.release} fails here: {why}",
        f"The versions before it serve again. {attempt.release} is not tried again.",
    )


def _nobody_s_fault(setup: Setup, memory: Memory, why: str) -> Failed:
    """The service does not answer either way: the release may be tried again."""
    attempt = memory.under_way
    write_memory(setup.places, replace(memory, attempt=None))
    return Failed(
        f"{attempt.kind} release {attempt.release} is not kept, since the service answers neither "
        f"with it nor without: {why}",
        f"Look at the service, at {setup.service.url}; then try again.",
    )


def remember_end(setup: Setup, memory: Memory, why: str) -> Memory:
    """Give the release up that is under way, and have that on the card."""
    attempt = memory.under_way
    return write_memory(setup.places, memory.give_up(attempt.kind, attempt.release, why))


def live_faults(setup: Setup) -> list[str]:
    """Have the service start again from the slot that is live, and ask it; what is wrong."""
    if faults := restart_faults(setup.service):
        return faults
    try:
        models = models_in(setup.places.live.resolve())
    except Exception as error:  # of any class: the slot has no list that can be read
        return [f"{setup.places.live}/bundle.json: {type(error).__name__} {error}"]
    return service_faults(setup.service, models)


def models_in(slot: Path) -> dict[Path, tuple[str, int]]:
    """A slot's models: name and version by directory."""
    told = json.loads((slot / "bundle.json").read_bytes())["models"]
    return {slot / "models" / name / str(v): (name, v) for name, v in told.items()}
