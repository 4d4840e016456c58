"""Roll back by hand: to the previous release, or to a model's previous version."""

from __future__ import annotations

from onnxlet.edge.device.slots import idle_slot, live_slot, switch
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.confirm import live_faults
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.health import restart_faults, slot_faults
from onnxlet.edge.update.history import write_history
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.status import release_of
from onnxlet.edge.update.update import exclusively, settle
from onnxlet.folders import typed
from onnxlet.function.models.repository import versions_in


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
            why = f"rolled back by hand to {release}"
            write_history(paths, before.give_up("bundle", given_up, why))
        switch(paths, slot)
        if faults := live_faults(setup):
            switch(paths, current)
            write_history(paths, before)
            restart_faults(setup.service)
            raise Refused(f"release {release} does not serve: {'; '.join(faults)}")
        return f"slot {slot} serves, release {release}"


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
