"""How much memory a device's server takes on arm64, emulated: the guest's own pages, and no others.

QEMU's user mode runs the server as a process of this machine, in which the emulator has its own
things, too: itself, what it has translated, its tables. The guest, asked for its /proc/self/maps,
gets from QEMU only its own mappings. Of what this machine's kernel counts for the process
(/proc/PID/smaps), that counts which lies in these. A mapping that is partly the guest's counts
whole, so that the sum is rather too large.

Run as a program in the guest, this serves a slot, and writes its mappings when a line comes.
"""

from __future__ import annotations

import sys
import threading


def main() -> None:
    """Serve the slot of the first argument; on a line, write the mappings to the second's file."""
    slot, maps_file = sys.argv[1:3]
    threading.Thread(target=_write_maps, args=(maps_file,), daemon=True).start()
    sys.path.insert(0, slot)
    sys.argv[1:] = ["serve"]
    from onnxlet.edge.command_line import main as commands
    from onnxlet.function.command_line import run

    run(commands, "onnxlet")


def _write_maps(file: str) -> None:
    sys.stdin.readline()
    with open("/proc/self/maps") as maps, open(file, "w") as copy:  # noqa: PTH123 - pathlib is memory
        copy.write(maps.read())


def proportional_kib(smaps: str, maps: str) -> int:
    """KiB of proportional memory in the mappings of the process that have guest pages in them.

    Args:
        smaps: of the emulator's process, as this machine's kernel has it.
        maps: of the guest, as the emulator reports it.
    """
    guest, total, counts = [_range(line) for line in maps.splitlines()], 0, False
    for line in smaps.splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            start, end = _range(line)
            counts = any(low < end and start < high for low, high in guest)
        elif first == "Pss:" and counts:
            total += int(rest[0])
    return total


def _range(line: str) -> tuple[int, int]:
    start, _, end = line.split()[0].partition("-")
    return int(start, 16), int(end, 16)


if __name__ == "__main__":
    main()
