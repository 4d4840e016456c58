"""Both bundles of one set of models, unpacked, and what each home answers on each processor."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import onnxlet.convert.bundle.archive
from onnxlet.convert.build import build
from onnxlet.convert.bundle.parts import Budget
from onnxlet.convert.sources.source import Source
from tests.conftest import (
    Answer,
    lacking,
    quiet,
    start_server,
    stop_server,
    through_events,
    through_socket,
)
from tests.convert.bundle.conftest import make
from tests.homes.asked import DEFAULT, Ask, all_asks
from tests.homes.device import serving
from tests.homes.estimators import further
from tests.lambda_runtime import harness, machines
from tests.lambda_runtime.conftest import KINDS
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine, Unavailable

LAMBDAS = "neoverse-n1"  # all others are held against its answers
MACHINES = {
    LAMBDAS: (LAMBDAS, "trixie"),
    "cortex-a53": ("cortex-a53", "trixie"),
    "cortex-a72": ("cortex-a72", "trixie"),
    "cortex-a53, bookworm": ("cortex-a53", "bookworm"),
}
ROOM = Budget(300_000_000, 300_000_000)
SETTINGS = {"ONNXLET_DEFAULT_MODEL": DEFAULT}


class Bundles(NamedTuple):
    """Unpacked ones, for the same Python."""

    on_lambda: Path
    on_device: Path


class Told(NamedTuple):
    """What a home answered to all requests, and what it wrote to its log meanwhile."""

    answers: list[Answer]
    log: str


@pytest.fixture(scope="session")
def get_machine() -> Callable[[str], Machine]:
    """A machine by name; where it can't be had the test is skipped, or fails if none may be."""

    def get(name: str) -> Machine:
        try:
            machine = machines.arm64(*MACHINES[name])
            harness.check_namespaces()
            machines.client(machine)
        except Unavailable as error:
            reason = str(error)
        else:
            return machine
        lacking(reason)

    return get


@pytest.fixture(scope="session", params=MACHINES)
def machine(request: pytest.FixtureRequest, get_machine: Callable[[str], Machine]) -> Machine:
    return get_machine(request.param)


@pytest.fixture(scope="session")
def all_sources(sources: Mapping[str, Source]) -> dict[str, Source]:
    return {**sources, **further()}


@pytest.fixture(scope="session")
def all_models(
    models: Path, all_sources: Mapping[str, Source], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("homes") / "models"
    shutil.copytree(models, folder)
    for name in all_sources.keys() - {path.name for path in models.iterdir()}:
        build(all_sources[name], name, folder, quiet)
    return folder


@pytest.fixture(scope="session")
def asks(all_sources: Mapping[str, Source], all_models: Path) -> list[Ask]:
    return all_asks(all_sources, all_models)


@pytest.fixture(scope="session")
def get_bundles(
    all_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Machine], Bundles]]:
    """The bundles for a machine's Python, made once; they take much room, and do not stay."""
    made: dict[str, Bundles] = {}
    folder = tmp_path_factory.mktemp("bundles")

    def get(machine: Machine) -> Bundles:
        if machine.python not in made:
            unpacked = (_unpacked(kind, all_models, machine, folder) for kind in Bundles._fields)
            made[machine.python] = Bundles(*unpacked)
        return made[machine.python]

    yield get
    shutil.rmtree(folder)


def _unpacked(home: str, models: Path, machine: Machine, folder: Path) -> Path:
    archive, unpacked = folder / f"{home}.zip", folder / f"{home}-{machine.python}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            onnxlet.convert.bundle.archive, "LEVEL", 0
        )  # zipping takes longer than all the rest
        kind = home.removeprefix("on_")
        make(kind, models, archive, budget=ROOM, python=machine.python, arch=machine.arch)
    harness.unpack(archive, unpacked)
    archive.unlink()
    return unpacked


def once(ask: Callable[[Machine], Told]) -> Callable[[Machine], Told]:
    """Ask each machine once, and keep its answer."""
    reported: dict[tuple[str, str], Told] = {}

    def get(machine: Machine) -> Told:
        name = machine.processor, machine.python
        if name not in reported:
            reported[name] = ask(machine)
        return reported[name]

    return get


@pytest.fixture(scope="session")
def ask_lambda(
    asks: list[Ask],
    get_bundles: Callable[[Machine], Bundles],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Machine], Told]:
    """All requests, as events of every kind, to the handler on AWS's runtime client."""

    def ask(machine: Machine) -> Told:
        bundle, logs = get_bundles(machine).on_lambda, tmp_path_factory.mktemp("logs")
        with Runtime(bundle, machine, logs, environ=SETTINGS, own_api=True) as runtime:
            sends = [
                through_events(lambda event: dict(runtime.invoke(event).json()), kind)
                for kind in KINDS.values()
            ]
            answers = [sends[number % len(sends)](*one) for number, one in enumerate(asks)]
            return Told(answers, "\n".join(runtime.log(len(asks))))

    return once(ask)


@pytest.fixture(scope="session")
def ask_device(
    asks: list[Ask],
    get_bundles: Callable[[Machine], Bundles],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Machine], Told]:
    """All requests to the device's server, over its socket."""

    def ask(machine: Machine) -> Told:
        log = tmp_path_factory.mktemp("logs") / "stderr"
        with serving(machine, get_bundles(machine).on_device, SETTINGS, log) as send:
            answers = [send(*one) for one in asks]
        return Told(answers, log.read_text())

    return once(ask)


@pytest.fixture(scope="session")
def ask_natively(
    asks: list[Ask], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], list[Answer]]:
    """All requests to a server of these models on this very processor, from this very code."""

    def ask(models: Path) -> list[Answer]:
        server = start_server(models, SETTINGS, tmp_path_factory.mktemp("logs") / "stderr")
        send = through_socket(server.port)
        answers = [send(*ask) for ask in asks]
        assert stop_server(server) == 0
        return answers

    return ask


@pytest.fixture(scope="session")
def natively(all_models: Path, ask_natively: Callable[[Path], list[Answer]]) -> list[Answer]:
    return ask_natively(all_models)
