"""Machines in, emulated or virtual or neither out."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.bench.board import Facts, emulated, read_facts, virtual
from tests.edge.device.test_checks import write

PI_CPU = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n"
X86_CPU = "model name\t: AMD EPYC\nflags\t\t: fpu vme hypervisor lahf_lm\n"
PI = Facts(
    kernel="aarch64", maps="0-1 r-xp /usr/bin/python3.13", vsize="9000000", cpuinfo=PI_CPU,
    clocks="arch_sys_counter", tree="raspberrypi,4-model-b brcm,bcm2711",
    board="Raspberry Pi 4 Model B Rev 1.4", serial="10000000a1b2c3d4",
)  # fmt: skip
PC = Facts("x86_64", "x86_64", "0-1 r-xp /usr/bin/python3.13", "9000000", X86_CPU, "tsc acpi_pm")
VIRT = {"tree": "linux,dummy-virt", "board": "linux,dummy-virt", "serial": ""}
EMULATED: dict[str, tuple[Facts, dict[str, Any], str]] = {
    "other processor": (PI, {"kernel": "x86_64"}, "for aarch64, and the kernel is for x86_64"),
    "qemu of its own kind": (
        PI,
        {"maps": "0-1 r-xp /usr/bin/qemu-aarch64\n2-3 r-xp /usr/bin/python3.13"},
        "qemu-aarch64 runs this Python",
    ),
    "static qemu": (PI, {"maps": "0-1 /usr/bin/qemu-aarch64-static"}, "qemu-aarch64-static runs"),
    "rosetta": (PC, {"maps": "0-1 r-xp /run/rosetta/rosetta"}, "rosetta runs this Python"),
    "stat is made up": (PI, {"vsize": "0"}, "an emulator answers it"),
    "apple": (PC, {"cpuinfo": "vendor_id : VirtualApple"}, "names a VirtualApple"),
    "TCG": (PC, {"cpuinfo": "model name : QEMU TCG CPU version 2.5+"}, "a QEMU TCG CPU version"),
    "TCG, by systemd": (PC, {"detected": "qemu"}, "nothing shows that its processor is not"),
    "TCG, by its maker": (PC, {"maker": "QEMU Standard PC"}, "nothing shows that its processor"),
    "arm64 machine": (PI, {**VIRT, "firmware": True}, "nothing shows that its processor is not"),
    "arm64 machine, UEFI": (
        PI,
        {**VIRT, "maker": "QEMU QEMU Virtual Machine"},
        "nothing shows that its processor",
    ),
    "QEMU's Raspberry Pi": (PI, {"serial": "0000000000000000"}, "without a serial number"),
}
REAL: dict[str, tuple[Facts, dict[str, Any], str]] = {
    "Raspberry Pi": (PI, {}, ""),
    "32-bit system": (PI, {"machine": "armv7l"}, ""),
    "laptop": (PC, {"cpuinfo": "model name\t: Intel(R) Core(TM)\nflags\t\t: fpu vme\n"}, ""),
    "old kernel": (PI, {"kernel": ""}, ""),
    "a folder of that name": (PI, {"maps": "0-1 r-xp /home/qemu-fan/python3"}, ""),
    "cloud": (PC, {"maker": "Amazon EC2 t3.small"}, "Amazon EC2 t3.small"),
    "KVM": (PC, {"detected": "kvm", "maker": "QEMU Standard PC", "clocks": "kvm-clock"}, "kvm"),
    "KVM on Arm": (
        PI,
        {**VIRT, "maker": "QEMU KVM Virtual Machine", "firmware": True},
        "QEMU KVM Virtual Machine",
    ),
    "Firecracker on Arm": (PI, VIRT, "of an unknown maker"),
    "Xen on Arm": (PI, {"hypervisor": True}, "of an unknown maker"),
}


@pytest.mark.parametrize("case", EMULATED)
def test_what_is_emulated(case: str) -> None:
    facts, changed, reported = EMULATED[case]
    assert reported in emulated(facts._replace(**changed))


@pytest.mark.parametrize("case", REAL)
def test_what_is_not(case: str) -> None:
    facts, changed, machine = REAL[case]
    facts = facts._replace(**changed)
    assert (emulated(facts), virtual(facts)) == ("", machine)


def test_what_is_read_of_a_raspberry_pi(tmp_path: Path) -> None:
    files = {
        "proc/sys/kernel/arch": "aarch64\n",
        "proc/thread-self/maps": PI.maps,
        "proc/self/stat": f"7 (a) name) R {' '.join(map(str, range(1, 20)))} 9000000 5 6",
        "proc/cpuinfo": PI_CPU,
        "proc/device-tree/model": f"{PI.board}\0",
        "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
        "proc/device-tree/serial-number": f"{PI.serial}\0",
        "sys/devices/system/clocksource/clocksource0/available_clocksource": "arch_sys_counter \n",
    }
    write(tmp_path, files)
    expected = PI._replace(machine=platform.machine(), cpuinfo=PI_CPU.strip())
    assert read_facts(tmp_path) == expected

    write(
        tmp_path, {"proc/device-tree/fw-cfg@9020000/reg": "", "proc/device-tree/hypervisor/x": ""}
    )
    write(tmp_path, {"sys/class/dmi/id/sys_vendor": "QEMU\n"})
    facts = read_facts(tmp_path)
    assert (facts.firmware, facts.hypervisor, facts.maker) == (True, True, "QEMU")


def test_a_machine_that_reports_nothing(tmp_path: Path) -> None:
    facts = read_facts(tmp_path)
    assert facts == Facts(machine=platform.machine())
    assert (emulated(facts), virtual(facts)) == ("", "")
