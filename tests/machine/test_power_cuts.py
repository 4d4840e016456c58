"""The power of a machine is cut in the middle of updates and of writes to the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.update.conftest import Maker, make_key
from tests.machine.cuts import Cuts, Damage
from tests.machine.releases import Releases, make_releases
from tests.machine.system import System

pytestmark = pytest.mark.machine

SEED = 8  # the first cut comes after a switch
CUTS = 20, 5  # as a whole; of a share
FEW = 5  # without syncs, on one machine
MACHINES = 6  # without syncs: what is torn first depends on the moment


@pytest.fixture(scope="module")
def count(sampled: bool) -> int:
    return CUTS[sampled]


@pytest.fixture(scope="module")
def releases(
    count: int, system: System, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Releases:
    folder = tmp_path_factory.mktemp("releases")
    key = make_key(folder / "keys", "one")
    return make_releases(
        Maker(folder, models, folder, key), tmp_path_factory.mktemp("disks"), count
    )


def test_power_cuts(count: int, system: System, releases: Releases, tmp_path: Path) -> None:
    cuts = Cuts(system, releases, tmp_path / "machine", SEED)
    try:
        for _ in range(count):
            cuts.boot_and_cut()
            assert (cuts.damage.torn, cuts.damage.lost) == ([], []), f"seed {SEED}"
        cuts.boot_and_look()
    finally:
        cuts.switch_off()
    damage = cuts.damage
    assert (damage.torn, damage.lost) == ([], []), f"seed {SEED}"
    assert damage.cut_off >= count // 3
    assert damage.taken >= max(1, count // 6)
    assert len(damage.kept) >= 5 * count
    print(f"{damage.cut_off} updates cut off, {damage.taken} taken, {len(damage.kept)} records")


def test_without_syncs_the_same_cuts_damage(
    system: System, releases: Releases, tmp_path: Path
) -> None:
    torn: list[str] = []
    lost: list[str] = []
    for seed in range(SEED, SEED + MACHINES):
        damage = damage_without_syncs(Cuts(system, releases, tmp_path / f"{seed}", seed, False))
        torn += damage.torn
        lost += damage.lost
        if lost and any(": slot: " in each for each in torn):
            break
    print(f"{torn}, {len(lost)} records lost")
    assert any(": slot: " in each for each in torn), torn
    assert lost


def damage_without_syncs(cuts: Cuts) -> Damage:
    """What a few cuts do to one machine, or as many as it takes until something is torn."""
    try:
        for _ in range(FEW):
            cuts.boot_and_cut()
            if cuts.damage.torn:
                break
    finally:
        cuts.switch_off()
    return cuts.damage
