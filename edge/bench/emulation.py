"""Whether this processor is emulated, or a virtual machine's, from facts that any user can read.

In doubt it counts as emulated: a time that is left out misleads nobody.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.machine import output_of, read_text, this_arch

# User-mode emulators map themselves into the process. They fake /proc/self/maps to hide that, but
# not /proc/thread-self/maps.
EMULATORS = re.compile(
    r"/(qemu-[a-z0-9_]+(?:-static)?|rosetta|box64|FEXInterpreter)$", re.MULTILINE
)
SAME_PROCESSOR = {("armv7l", "aarch64"), ("armv8l", "aarch64"), ("i686", "x86_64")}
VSIZE = 20  # index of the field in /proc/PID/stat, counted after the program's name
ANSWERS_ITSELF = "/proc/self/stat reports no memory: an emulator answers it"


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
