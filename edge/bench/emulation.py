"""Is this processor emulated, or a virtual machine's? Decided from facts that can be read anywhere.

Where nothing tells for sure, it counts as emulated: a time that is left out misleads nobody.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.machine import read_text, this_arch

SECONDS = 5
# Emulators of programs map themselves beside the program; /proc/self/maps hides that, since they
# answer it themselves, and a thread's own maps do not.
EMULATORS = re.compile(
    r"/(qemu-[a-z0-9_]+(?:-static)?|rosetta|box64|FEXInterpreter)$", re.MULTILINE
)
SAME_PROCESSOR = {("armv7l", "aarch64"), ("armv8l", "aarch64"), ("i686", "x86_64")}
VSIZE = 20  # place in /proc/PID/stat, counted from behind the program's name
ANSWERS_ITSELF = "/proc/self/stat tells of no memory: an emulator answers it"


class Facts(NamedTuple):
    """What this machine tells of itself; empty is what it does not tell.

    Attributes:
        machine: that this program is for, as `uname` has it.
        kernel: that the kernel is for.
        maps: what lies in this process, as the kernel has it.
        vsize: bytes that /proc/self/stat says are mapped.
        cpuinfo: of /proc.
        clocks: that the kernel could take.
        maker: of the machine, by its DMI, and its product.
        tree: the device tree's `compatible`.
        firmware: the device tree has QEMU's own node.
        hypervisor: the device tree has one.
        board: what the device tree calls it.
        serial: of the board.
        detected: what systemd-detect-virt says.
    """

    machine: str = "aarch64"
    kernel: str = ""
    maps: str = ""
    vsize: str = ""
    cpuinfo: str = ""
    clocks: str = ""
    maker: str = ""
    tree: str = ""
    firmware: bool = False
    hypervisor: bool = False
    board: str = ""
    serial: str = ""
    detected: str = ""


def read_facts(root: Path = Path("/")) -> Facts:
    """Look at this machine.

    Args:
        root: of the files that tell of it.
    """
    tree = root / "proc/device-tree"
    stat = read_text(root / "proc/self/stat").rpartition(")")[2].split()
    clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource"
    return Facts(
        machine=this_arch(),
        kernel=read_text(root / "proc/sys/kernel/arch"),
        maps=read_text(root / "proc/thread-self/maps"),
        vsize=stat[VSIZE] if len(stat) > VSIZE else "",
        cpuinfo=read_text(root / "proc/cpuinfo"),
        clocks=read_text(root / clocks),
        maker=read_maker(root),
        tree=read_text(tree / "compatible"),
        firmware=any(tree.glob("fw-cfg*")),
        hypervisor=(tree / "hypervisor").is_dir(),
        board=read_text(tree / "model"),
        serial=read_text(tree / "serial-number"),
        detected=_detected() if root == Path("/") else "",
    )


def read_maker(root: Path) -> str:
    """The maker of this machine and its product, as its DMI has them."""
    dmi = root / "sys/class/dmi/id"
    return " ".join(read_text(dmi / name) for name in ("sys_vendor", "product_name")).strip()


def _detected() -> str:
    if not shutil.which("systemd-detect-virt"):
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        command = ["systemd-detect-virt", "--vm"]
        done = subprocess.run(  # noqa: S603 - nobody's input
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=dict(os.environ),
        )
        return done.stdout.strip().replace("none", "")
    return ""


def _other_processor(facts: Facts) -> str:
    if facts.kernel in ("", facts.machine) or (facts.machine, facts.kernel) in SAME_PROCESSOR:
        return ""
    return f"this Python is for {facts.machine}, and the kernel is for {facts.kernel}"


def _beside(facts: Facts) -> str:
    found = EMULATORS.search(facts.maps)
    return f"{found[1]} runs this Python" if found else ""


def _own_answers(facts: Facts) -> str:
    return ANSWERS_ITSELF if facts.vsize == "0" else ""


def _processor_of_an_emulator(facts: Facts) -> str:
    found = re.search(r"QEMU TCG[^\n]*|VirtualApple[^\n]*", facts.cpuinfo)
    return f"/proc/cpuinfo tells of a {found[0]}" if found else ""


def _machine_of_qemu(facts: Facts) -> str:
    """QEMU's, and nothing says that KVM is below it."""
    if "kvm-clock" in facts.clocks or "KVM" in facts.maker:
        return ""
    if not (facts.detected == "qemu" or facts.maker.startswith("QEMU") or facts.firmware):
        return ""
    return "a machine of QEMU's, and nothing tells that its processor is not emulated"


def _board_without_serial(facts: Facts) -> str:
    """QEMU has Raspberry Pis, too; the firmware of real ones writes their number down."""
    if not facts.board.startswith("Raspberry Pi") or facts.serial.strip("0"):
        return ""
    return f"a {facts.board} without a serial number: real ones have one"


SIGNS: tuple[Callable[[Facts], str], ...] = (
    _other_processor, _beside, _own_answers, _processor_of_an_emulator, _machine_of_qemu,
    _board_without_serial,
)  # fmt: skip


def emulated(facts: Facts) -> str:
    """Why this processor counts as emulated; empty where it is real."""
    return next(filter(None, (sign(facts) for sign in SIGNS)), "")


def virtual(facts: Facts) -> str:
    """What virtual machine this is; empty where it is none."""
    if facts.detected:
        return facts.detected
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", facts.cpuinfo, re.MULTILINE)
    told = flags or facts.hypervisor or "linux,dummy-virt" in facts.tree
    return facts.maker or "of a maker that is not told" if told else ""
