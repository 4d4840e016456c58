"""Back to the release before, or to a model's version before, by hand."""

from __future__ import annotations

from onnxlet.edge.device.slots import idle_slot, live_slot, switch
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.memory import write_memory
from onnxlet.edge.update.prove import restart_faults, slot_faults
from onnxlet.edge.update.setup import Setup
from onnxlet.edge.update.status import release_of
from onnxlet.edge.update.update import alone, settle
from onnxlet.edge.update.verdict import live_faults
from onnxlet.function.models.repository import versions_in


def rollback(setup: Setup) -> str:
    """Have the idle slot serve, once it has proven itself; the other release is not taken again.

    Raises:
        Refused: there is none, it was given up before, or does not answer; nothing has changed.
        Failed: the card fails, or an update runs.
    """
    places = setup.places
    with alone(places):
        before = settle(setup)
        slot, current = idle_slot(places), live_slot(places)
        release, given_up = release_of(places.slot(slot)), release_of(places.live)
        if current is None or not places.slot(slot).is_dir():
            raise Refused("there is no release to go back to", "edge status shows what is there.")
        if why := before.broken.get("bundle", {}).get(release or 0):
            raise Refused(
                f"release {release} in slot {slot} was given up: {why}",
                "Publish the one that you want under a higher number.",
            )
        if faults := slot_faults(places.slot(slot)):
            raise Refused(f"slot {slot} does not answer as it should: {'; '.join(faults)}")
        if given_up is not None:
            told = f"rolled back by hand to {release}"
            write_memory(places, before.give_up("bundle", given_up, told))
        switch(places, slot)
        if faults := live_faults(setup):
            switch(places, current)
            write_memory(places, before)
            restart_faults(setup.service)
            raise Refused(f"release {release} does not serve: {'; '.join(faults)}")
        return f"slot {slot} serves, release {release}"


def roll_model_back(setup: Setup, name: str) -> str:
    """Take the highest version of a model away that came alone; the one before it serves.

    Raises:
        Refused: there is none.
        Failed: the card fails, or an update runs.
    """
    places = setup.places
    with alone(places):
        settle(setup)
        versions = versions_in(places.models / name)
        if not versions:
            raise Refused(
                f"no version of '{name}' came alone",
                "edge rollback, without --model, goes back to the whole release before.",
            )
        if told := model_updates.names_of(places, name, versions[-1], setup.pins):
            raise Refused(
                f"{name}/{versions[-1]} is named by {', '.join(told)}",
                "Name another version first: else the service would not start without this one.",
            )
        model_updates.take_away(places, {name: versions[-1]})
        return f"{name}/{versions[-1]} is taken away"
