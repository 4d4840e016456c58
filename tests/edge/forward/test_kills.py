"""kill -9 at random points, by an endpoint that loses, drops, hangs and fails: nothing is lost.

The same test finds what is wrong with three faults: a record that is called kept before it is, one
that is forgotten before it has arrived, and a batch that has another key when it is sent again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from onnxlet.edge.forward.forwarder import open_queue
from onnxlet.edge.forward.https import transport
from onnxlet.edge.settings.device import ForwardOptions
from tests.conftest import ROOT
from tests.edge.certificates import Pair
from tests.edge.forward.endpoint import Endpoint, listening

ENOUGH = 20  # records and requests, for what is found of them to count
MOST_TIMES = 10  # as many kills as wanted


class Outcome(NamedTuple):
    """What the killed process had said, and what the endpoint has."""

    acknowledged: set[int]
    arrived: Counter[int]
    endpoint: Endpoint

    @property
    def lost(self) -> set[int]:
        return self.acknowledged - set(self.arrived)

    @property
    def doubled(self) -> set[int]:
        return {number for number, times in self.arrived.items() if times > 1}


def rounds(
    keeper: subprocess.Popen[bytes], kills: int, chance: random.Random, endpoint: Endpoint
) -> set[int]:
    """Start it and kill it; the numbers that it called kept.

    Where a machine has much else to do, a round may be over before anything was kept or sent: then
    there are more of them.
    """
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    kept: set[int] = set()
    for number in range(MOST_TIMES * kills):
        if number >= kills and len(kept) > ENOUGH and len(endpoint.tries) > ENOUGH:
            break
        keeper.stdin.write(f"{number * 10_000}\n".encode())
        keeper.stdin.flush()
        child, begun = 0, False
        for line in keeper.stdout:
            if line.startswith(b"pid"):
                child = int(line.split()[1])
            elif line == b"gone\n":
                break
            else:
                kept.add(int(line))
            if child and not begun:
                begun = True
                time.sleep(chance.uniform(0.0, 0.25))
                os.kill(child, signal.SIGKILL)
    return kept


def killed(folder: Path, pair: Pair, fault: str, kills: int, seed: int) -> Outcome:
    path = folder / "queue.db"
    with listening(pair) as endpoint:
        endpoint.misbehave(seed)
        command = [sys.executable, "-m", "tests.edge.forward.keeper", str(path), endpoint.url]
        with subprocess.Popen(
            [*command, str(pair.certificate), fault],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as keeper:  # fmt: skip
            chance = random.Random(seed)  # noqa: S311 - seeded, to come again
            acknowledged = rounds(keeper, kills, chance, endpoint)
            assert keeper.stdin is not None
            keeper.stdin.close()
        endpoint.behave()
        drain(path, endpoint, pair)
        arrived = Counter(int(record["truth"][0]) for record in endpoint.records)
        return Outcome(acknowledged, arrived, endpoint)


def drain(path: Path, endpoint: Endpoint, pair: Pair) -> None:
    """Send all that is left, as a process does that nobody kills."""
    options = ForwardOptions(endpoint.url, ca=pair.certificate, queue=path)
    send, queue = transport(options), open_queue(options)
    while batch := queue.take():
        assert send(batch).state == "arrived"
        queue.arrived()
    queue.close()


def check_whole(outcome: Outcome) -> None:
    assert outcome.lost == set()
    assert outcome.doubled == set()
    assert len(outcome.acknowledged) > ENOUGH
    endpoint = outcome.endpoint
    again = len(endpoint.tries) - len(set(endpoint.tries))
    assert again > 0, "nothing was ever sent again"
    assert all(len(bodies) == 1 for bodies in endpoint.bodies.values()), "one key, one batch"


@pytest.mark.long
def test_killed_at_random_nothing_is_lost_and_nothing_doubled(tmp_path: Path, pair: Pair) -> None:
    check_whole(killed(tmp_path, pair, "none", kills=25, seed=1))


@pytest.mark.faults
def test_it_finds_records_that_are_called_kept_too_early(tmp_path: Path, pair: Pair) -> None:
    assert killed(tmp_path, pair, "says so too early", kills=40, seed=2).lost


@pytest.mark.faults
def test_it_finds_records_that_are_forgotten_too_early(tmp_path: Path, pair: Pair) -> None:
    assert killed(tmp_path, pair, "forgets at once", kills=40, seed=3).lost


@pytest.mark.faults
def test_it_finds_batches_with_other_keys(tmp_path: Path, pair: Pair) -> None:
    assert killed(tmp_path, pair, "other keys", kills=40, seed=4).doubled


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(10, 13))
def test_killed_two_hundred_times(tmp_path: Path, pair: Pair, seed: int) -> None:
    check_whole(killed(tmp_path, pair, "none", kills=200, seed=seed))
