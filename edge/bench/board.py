"""The board and its state, which a measurement is reported with, and whether it is emulated.

That is judged by facts that any user can read. In doubt it counts as emulated: a time that is left
out misleads nobody.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.checks import Needs, power, speed
from onnxlet.edge.device.machine import output_of, read_machine, read_text, this_arch

CPUS = "sys/devices/system/cpu"
# Arm's part numbers (https://developer.arm.com) of the processors of Raspberry Pis and clouds.
PARTS = {
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2", "0xd4f": "Neoverse-V2",
}  # fmt: skip
# User-mode emulators map themselves into the process. They fake /proc/self/maps to hide that, but
# not /proc/thread-self/maps.
EMULATORS = re.compile(
    r"/(qemu-[a-z0-9_]+(?:-static)?|rosetta|box64|FEXInterpreter)$", re.MULTILINE
)
SAME_PROCESSOR = {("armv7l", "aarch64"), ("armv8l", "aarch64"), ("i686", "x86_64")}
VSIZE = 20  # index of the field in /proc/PID/stat, counted after the program's name
ANSWERS_ITSELF = "/proc/self/stat reports no memory: an emulator answers it"


class Board(NamedTuple):
    """Facts that do not change; empty where this machine does not report one."""

    model: str  # of the board
    processor: str
    cores: int  # that programs may use
    memory: int | None  # bytes in total
    governor: str  # of the processor's frequency
    mhz: tuple[int, int] | None  # lowest and highest frequency
    kernel: str  # its name and release
    system: str  # the distribution
    python: str


class BoardState(NamedTuple):
    """Facts that change; None where this machine does not report one. Fields as in `--json`."""

    celsius: float | None  # of the processor
    throttled: int | None  # flags as the Raspberry Pi's firmware has them
    told: str  # these flags in words
    mhz: int | None  # of the first processor


def read_board(root: Path = Path("/")) -> Board:
    """Read the facts about this machine below /proc, /sys and /etc."""
    machine = read_machine(root, root)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    governors = (root / CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    system = re.search(r'^PRETTY_NAME="?(.*?)"?$', read_text(root / "etc/os-release"), re.MULTILINE)
    return Board(
        model=machine.board or read_maker(root),
        processor=_processor(read_text(root / "proc/cpuinfo")),
        cores=cores or 1,
        memory=machine.memory,
        governor=", ".join(sorted({text for text in map(read_text, governors) if text})),
        mhz=_range(root / CPUS / "cpu0/cpufreq"),
        kernel=f"{platform.system()} {platform.release()}",
        system=system[1] if system else "",
        python=platform.python_version(),
    )


def read_state(root: Path = Path("/")) -> BoardState:
    """Read the machine's present state."""
    machine = read_machine(root, root)
    found = [check(machine, Needs()) for check in (power, speed)]
    told = "; ".join(each.told for each in found if each is not None)
    now = _mhz(root / CPUS / "cpu0/cpufreq/scaling_cur_freq")
    return BoardState(machine.celsius, machine.throttled, told, now)


def _processor(cpuinfo: str) -> str:
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", cpuinfo, re.MULTILINE))
    arm = fields.get("CPU implementer") == "0x41"
    part = PARTS.get(fields.get("CPU part", "")) if arm else None
    return str(part or fields.get("model name") or platform.processor() or platform.machine())


def _mhz(path: Path) -> int | None:
    text = read_text(path)
    return int(text) // 1000 if text.isdigit() else None


def _range(folder: Path) -> tuple[int, int] | None:
    low, high = (_mhz(folder / f"scaling_{each}_freq") for each in ("min", "max"))
    return None if low is None or high is None else (low, high)


class Facts(NamedTuple):
    """What this machine reports of itself; empty where it does not report it."""

    machine: str = "aarch64"  # architecture of this program, as `uname` prints it
    kernel: str = ""  # architecture of the kernel
    maps: str = ""  # the memory map of this process, as the kernel reports it
    vsize: str = ""  # mapped bytes, as /proc/self/stat reports them
    cpuinfo: str = ""  # content of /proc/cpuinfo
    clocks: str = ""  # the kernel's available clock sources
    maker: str = ""  # of the machine and its product, from DMI
    tree: str = ""  # the device tree's `compatible`
    firmware: bool = False  # the device tree has QEMU's own node
    hypervisor: bool = False  # the device tree has a hypervisor's node
    board: str = ""  # its model in the device tree
    serial: str = ""  # number of the board
    detected: str = ""  # the output of systemd-detect-virt


def read_facts(root: Path = Path("/")) -> Facts:
    """Read the facts about this machine below /proc and /sys."""
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
        # It fails where it detects none.
        detected=output_of("systemd-detect-virt", "--vm").strip() if root == Path("/") else "",
    )


def read_maker(root: Path) -> str:
    """The maker of this machine and its product, from DMI."""
    dmi = root / "sys/class/dmi/id"
    return " ".join(read_text(dmi / name) for name in ("sys_vendor", "product_name")).strip()


def emulated(facts: Facts) -> str:
    """Why this processor counts as emulated; empty if it is real."""
    same = facts.kernel in ("", facts.machine) or (facts.machine, facts.kernel) in SAME_PROCESSOR
    if not same:
        return f"this Python is for {facts.machine}, and the kernel is for {facts.kernel}"
    if beside := EMULATORS.search(facts.maps):
        return f"{beside[1]} runs this Python"
    if facts.vsize == "0":
        return ANSWERS_ITSELF
    if named := re.search(r"QEMU TCG[^\n]*|VirtualApple[^\n]*", facts.cpuinfo):
        return f"/proc/cpuinfo names a {named[0]}"
    by_qemu = facts.detected == "qemu" or facts.maker.startswith("QEMU") or facts.firmware
    if by_qemu and not ("kvm-clock" in facts.clocks or "KVM" in facts.maker):
        return "a machine of QEMU's, and nothing shows that its processor is not emulated"
    # QEMU emulates Raspberry Pis, too; the firmware of real ones adds a serial number.
    if facts.board.startswith("Raspberry Pi") and not facts.serial.strip("0"):
        return f"a {facts.board} without a serial number: real ones have one"
    return ""


def virtual(facts: Facts) -> str:
    """The kind of virtual machine; empty if it is none."""
    if facts.detected:
        return facts.detected
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", facts.cpuinfo, re.MULTILINE)
    virtual = flags or facts.hypervisor or "linux,dummy-virt" in facts.tree
    return facts.maker or "of an unknown maker" if virtual else ""
