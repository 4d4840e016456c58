"""What is wrong with a machine for a bundle, in plain words, as text or as JSON.

It only decides: facts are given.

Standard library only, and in syntax that Python 3.7 accepts (edge/device/machine.py says why).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from onnxlet.edge.device.machine import Machine
from onnxlet.folders import documented, typed

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1_000_000
PROCESS = 100 * MB  # memory of the server with small models
LEAST_FREE = 50 * MB  # memory
LEAST_GLIBC = (2, 28)  # what ONNX Runtime's wheels are built for
SPARE_DISK = 50 * MB  # on the disk, beside bundles
HOT, TOO_HOT = 75.0, 80.0  # degrees Celsius; a Pi slows down from the second on
EPOCH = 2025  # a clock that shows an earlier year was never set
PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # that bundles are made for, as in convert/bundle
ARCHES = ("aarch64", "x86_64")  # likewise
HOMES = ("/home/", "/root/")  # hidden from the service by ProtectHome
GOOD, WARNING, WRONG = "good", "warning", "wrong"
# The firmware's flags: the state now, and whether it ever occurred since the start.
UNDER_VOLTAGE, SLOWED, WAS_UNDER_VOLTAGE, WAS_SLOWED = 0x1, 0xE, 0x10000, 0xE0000
WIDTH = 13  # of the column of subjects


class Needs(NamedTuple):
    """What a bundle requires of a machine."""

    python: str = ""  # major and minor version; empty for a checkout, which requires none
    arch: str = ""  # of the processor; empty for a checkout, too
    unpacked: int = 0  # bytes of its files
    graphs: int = 0  # bytes of the model files among these
    unpacks: bool = True  # they are yet to be unpacked; else only an update needs as much again


class Finding(NamedTuple):
    """The result of one check; its fields are those of `doctor --json`."""

    subject: str  # what was checked
    level: str  # good, warning or wrong
    told: str  # where, expected and got
    hint: str = ""  # what to do; empty if nothing


if TYPE_CHECKING:
    Check = Callable[[Machine, Needs], Finding | None]


def _mb(size: int) -> str:
    return f"{size / MB:,.0f} MB"


def system(machine: Machine, needs: Needs) -> Finding | None:
    """64-bit Linux with GNU's C library."""
    if machine.system != "Linux":
        return Finding(
            "system", WRONG, f"expected Linux, got {machine.system}",
            f"On other systems, serve without a bundle: {typed('edge', 'serve')}.",
        )  # fmt: skip
    if machine.bits != 64:
        return Finding(
            "system", WRONG,
            f"expected a 64-bit system, got a 32-bit one (on an {machine.arch} processor)",
            "Install the 64-bit Raspberry Pi OS: no 32-bit build of ONNX Runtime exists.",
        )  # fmt: skip
    if not machine.glibc or tuple(map(int, machine.glibc.split(".")[:2])) < LEAST_GLIBC:
        return Finding(
            "system", WRONG,
            f"expected GNU's C library from 2.28 on, got {machine.glibc or 'another one'}",
            "Use Debian 10, Raspberry Pi OS or newer; Alpine's musl does not do.",
        )  # fmt: skip
    board = f"{machine.board}, " if machine.board else ""
    return Finding("system", GOOD, f"{board}64 bits, glibc {machine.glibc}")


def processor(machine: Machine, needs: Needs) -> Finding | None:
    """The architecture that the bundle was made for."""
    if needs.arch in ("", machine.arch):
        return Finding("processor", GOOD, machine.arch)
    return Finding(
        "processor", WRONG, f"this bundle is for {needs.arch}, and this machine is {machine.arch}",
        _another(machine) if machine.arch in ARCHES
        else f"Bundles are made for {' and '.join(ARCHES)}: take a 64-bit board and system.",
    )  # fmt: skip


def _another(machine: Machine) -> str:
    """How to make a bundle for this machine, as far as one can be made."""
    python = f" PYTHON_VERSION={machine.python}" * (machine.python in PYTHONS)
    arch = f" ARCH={machine.arch}" * (machine.arch in ARCHES)
    return f"Make another, in the checkout: make package TARGET=device{python}{arch}"


def python(machine: Machine, needs: Needs) -> Finding | None:
    """The version that the bundle was made for."""
    if needs.python in ("", machine.python):
        return Finding("python", GOOD, f"{machine.python}, {machine.executable}")
    way_out = _another(machine) if machine.python in PYTHONS else (
        f"Bundles are made for Python {', '.join(PYTHONS)}: install a system with one of them "
        "(Raspberry Pi OS trixie has 3.13, bookworm 3.11)"
    )  # fmt: skip
    return Finding(
        "python", WRONG, f"this bundle is for Python {needs.python}, and this is {machine.python}",
        f"{way_out}; or run it with python{needs.python}, where that is installed.",
    )  # fmt: skip


def interpreter(machine: Machine, needs: Needs) -> Finding | None:
    """An interpreter that the service can read."""
    if not machine.executable.startswith(HOMES):
        return None
    return Finding(
        "python", WRONG, f"{machine.executable} is in a home, which the service does not see",
        "Run it with the system's: /usr/bin/python3.",
    )  # fmt: skip


def memory(machine: Machine, needs: Needs) -> Finding | None:
    """Enough memory for the server and its models."""
    if machine.memory is None:
        return None
    needed = PROCESS + 2 * needs.graphs
    free = machine.free_memory if machine.free_memory is not None else machine.memory
    sizes = f"{_mb(machine.memory)} in total, {_mb(free)} free"
    if machine.memory < 2 * needed:
        return Finding(
            "memory", WRONG, f"expected at least {_mb(2 * needed)} in total, got {sizes}",
            "Package fewer or smaller models, or take a board with more.",
        )  # fmt: skip
    if free < LEAST_FREE:
        return Finding(
            "memory", WRONG, f"expected at least {_mb(LEAST_FREE)} free, got {sizes}",
            "End what else runs here; ps aux --sort=-rss lists it.",
        )  # fmt: skip
    return Finding("memory", GOOD, sizes)


def memory_limit(machine: Machine, needs: Needs) -> Finding | None:
    """The kernel can enforce the service's memory limit."""
    if machine.limits_memory is None:
        return None
    if machine.limits_memory:
        return Finding("memory limit", GOOD, "the kernel holds the service to it")
    where = (
        "the line in /boot/firmware/cmdline.txt" if machine.board else "the kernel's command line"
    )
    return Finding(
        "memory limit", WARNING, "this kernel does not hold the service to it",
        f"Add cgroup_enable=memory to {where}, and start again.",
    )  # fmt: skip


def space(machine: Machine, needs: Needs) -> Finding | None:
    """Room for one more bundle."""
    if machine.read_only:
        return Finding(
            "space", WRONG, "the file system is read-only",
            documented("docs/how-to/readonly.md lists what has to be", "/var/lib/onnxlet has to be")
            + " writable; after disk errors, see dmesg.",
        )  # fmt: skip
    if machine.space is None:
        return None
    needed = needs.unpacked + SPARE_DISK
    if machine.space >= SPARE_DISK and machine.space < needed and not needs.unpacks:
        return Finding(
            "space", WARNING, f"{_mb(machine.space)} free, and an update takes {_mb(needed)}",
            "What serves goes on; before an update, remove what is not needed.",
        )  # fmt: skip
    if machine.space < needed:
        return Finding(
            "space", WRONG, f"expected at least {_mb(needed)} free, got {_mb(machine.space)}",
            "Remove what is not needed: apt-get clean, journalctl --vacuum-size=50M.",
        )  # fmt: skip
    return Finding("space", GOOD, f"{_mb(machine.space)} free")


def temperature(machine: Machine, needs: Needs) -> Finding | None:
    """The processor is not too hot."""
    if machine.celsius is None:
        return None
    degrees = f"{machine.celsius:.0f} °C"
    if machine.celsius < HOT:
        return Finding("temperature", GOOD, degrees)
    level = WRONG if machine.celsius >= TOO_HOT else WARNING
    hint = "Give it a heat sink or a fan, and air."
    return Finding("temperature", level, f"expected less than {HOT:.0f} °C, got {degrees}", hint)


def _flagged(
    machine: Machine, subject: str, now: int, ever: int, told: tuple[str, str, str], hint: str
) -> Finding | None:
    """A finding by the firmware's flags of now and ever; what it says: now, once, never."""
    if machine.throttled is None:
        return None
    if machine.throttled & now:
        return Finding(subject, WRONG, told[0], hint)
    if machine.throttled & ever:
        return Finding(subject, WARNING, told[1], hint)
    return Finding(subject, GOOD, told[2])


def power(machine: Machine, needs: Needs) -> Finding | None:
    """The supply voltage is and was high enough."""
    return _flagged(
        machine, "power", UNDER_VOLTAGE, WAS_UNDER_VOLTAGE,
        ("the voltage is too low now", "the voltage was too low since the start",
         "the voltage has been well since the start"),
        "Use the board's own power supply, and a short cable.",
    )  # fmt: skip


def speed(machine: Machine, needs: Needs) -> Finding | None:
    """The processor is not throttled."""
    return _flagged(
        machine, "speed", SLOWED, WAS_SLOWED,
        ("the processor is slowed down now", "the processor was slowed down since the start",
         "the processor has not been slowed down since the start"),
        "It is too hot, or has too little power.",
    )  # fmt: skip


def clock(machine: Machine, needs: Needs) -> Finding | None:
    """The clock is set: only forwarding over TLS and the log's readers need it."""
    hint = "Serving and updates go on; forwarding by TLS may not: timedatectl set-ntp true."
    if machine.year < EPOCH:
        return Finding("clock", WARNING, f"it says {machine.year}: it was never set", hint)
    if machine.synchronised is False:
        return Finding("clock", WARNING, f"it says {machine.year}, and nothing sets it", hint)
    return Finding("clock", GOOD, f"it says {machine.year}")


def rights(machine: Machine, needs: Needs) -> Finding | None:
    """Only root can install."""
    if machine.root:
        return None
    return Finding("rights", WRONG, "expected root, got another user", "Put sudo before it.")


def services(machine: Machine, needs: Needs) -> Finding | None:
    """Systemd runs, to start and watch the service."""
    if machine.systemd:
        return None
    return Finding(
        "services", WRONG, "expected systemd, and it does not run here",
        "Elsewhere, unpack the bundle and have your own supervisor run: python3 FOLDER serve.",
    )  # fmt: skip


ALWAYS: tuple[Check, ...] = (
    system, processor, python, memory, memory_limit, space, temperature, power, speed, clock,
)  # fmt: skip
BEFORE_INSTALLING: tuple[Check, ...] = (
    system, processor, python, interpreter, memory, space, rights, services,
)  # fmt: skip
IN_AN_IMAGE: tuple[Check, ...] = (system, processor, python, space)
# All that stops an installation except missing rights: the doctor needs none.
BY_A_DOCTOR: tuple[Check, ...] = (
    system, processor, python, interpreter, memory, memory_limit, space, temperature, power, speed,
    clock, services,
)  # fmt: skip


def findings(machine: Machine, needs: Needs, checks: tuple[Check, ...] = ALWAYS) -> list[Finding]:
    """The result of each check, except those that this machine gives no facts for."""
    found = (check(machine, needs) for check in checks)
    return [each for each in found if each is not None]


def wrong(found: list[Finding]) -> list[Finding]:
    """The findings that stop an installation."""
    return [each for each in found if each.level == WRONG]


def report(found: list[Finding], as_json: bool = False) -> int:
    """Print findings; return the exit code, 1 if something is wrong."""
    print(_json(found) if as_json else _text(found))
    return 1 if wrong(found) else 0


def _json(found: list[Finding]) -> str:
    form = {"ok": not wrong(found), "findings": [each._asdict() for each in found]}
    return json.dumps(form, indent=1, ensure_ascii=False)


def _text(found: list[Finding]) -> str:
    lines = []
    for each in found:
        lines.append(f"{each.level:8} {each.subject:{WIDTH}} {each.told}")
        lines += [f"{'':8} {'':{WIDTH}} {each.hint}"] * bool(each.hint)
    return "\n".join(lines)
