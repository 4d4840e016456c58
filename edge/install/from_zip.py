"""The commands of a device's bundle while it is a zip: check the machine, unpack into a slot.

Standard library only, and in syntax that Python 3.7 accepts, until the machine has passed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path, PurePosixPath

from onnxlet.edge.device.checks import (
    BEFORE_INSTALLING,
    BY_A_DOCTOR,
    IN_AN_IMAGE,
    WRONG,
    Finding,
    Needs,
    findings,
    report,
    wrong,
)
from onnxlet.edge.device.machine import Machine, read_machine
from onnxlet.edge.device.slots import (
    LISTS,
    DevicePaths,
    altered,
    digests_in,
    empty,
    idle_slot,
    live_slot,
    sync_tree,
)
from onnxlet.edge.update.keys import read_keys

SYSTEM = Path("/")
DATA = "var/lib/onnxlet"
KEYS = "etc/onnxlet/keys"
GRAPH = "model.onnx"
KEYS_HINT = "Each is a .pub file there."
KEY_HINT = "It stands in the .pub file that minisign -G wrote."


def main(archive: Path, arguments: list[str]) -> None:
    """Carry out a command of the zip: `install` or `doctor`.

    It exits with 1 if something is wrong, with 2 for wrong use.
    """
    options = _parser(archive.name).parse_args(arguments)
    with zipfile.ZipFile(archive) as bundle:
        needs = read_needs(bundle)
    machine = read_machine(options.root / DATA)
    if options.command == "doctor":
        sys.exit(report(diagnosis(options.root, machine, needs), as_json=options.json))
    found = faults(options.root, options.key, machine, needs)
    if not (options.root / "etc").is_dir():
        found.append((f"--root {options.root}: expected a system's image, got no etc", "Name it."))
    _stop_where_wrong(found)
    _install(archive, options.root, options.key)


def _install(archive: Path, root: Path, keys: list[str]) -> None:
    """Fill a slot, and exec its own code, which inherits the device's lock."""
    from onnxlet.edge.update.history import locked
    from onnxlet.function.errors import OnnxletError

    paths = DevicePaths(root)
    try:
        with locked(paths) as lock:
            slot = _fill(archive, paths)
            command = [sys.executable, "-I", "-S", "-B", str(slot), "install"]
            command += ["--root", str(root), "--lock", str(lock)]
            for key in keys:
                command += ["--key", key]
            sys.stdout.flush()
            os.set_inheritable(lock, True)
            os.execv(command[0], command)  # noqa: S606 - the same program, from the slot
    except OnnxletError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python3 {name}",
        description="A device's bundle. Unpacked, it has more commands: onnxlet --help.",
        epilog=f"Example: sudo python3 {name} install --key KEY",
    )
    commands = parser.add_subparsers(dest="command", metavar="install | doctor")
    commands.required = True
    install = commands.add_parser("install", help="install this bundle, and start it at boot")
    install.add_argument(
        "--key", action="append", default=[], metavar="KEY",
        help="take updates that are signed by this key of minisign's (a file, or itself)",
    )  # fmt: skip
    doctor = commands.add_parser("doctor", help="say what is wrong with this machine")
    doctor.add_argument("--json", action="store_true", help="for programs")
    for each in (install, doctor):
        each.add_argument("--root", type=Path, default=SYSTEM, metavar="DIR", help="of an image")
    return parser


def read_needs(bundle: zipfile.ZipFile) -> Needs:
    """What a bundle requires of a machine."""
    content = json.loads(bundle.read("bundle.json").decode())
    sizes = {entry.filename: entry.file_size for entry in bundle.infolist()}
    graphs = sum(size for path, size in sizes.items() if path.endswith(f"/{GRAPH}"))
    return Needs(content["python"], content["arch"], sum(sizes.values()), graphs)


def faults(root: Path, keys: list[str], machine: Machine, needs: Needs) -> list[tuple[str, str]]:
    """Everything that stops an installation: each fault, and what to do."""
    checks = BEFORE_INSTALLING if root == SYSTEM else IN_AN_IMAGE
    found = [(each.told, each.hint) for each in wrong(findings(machine, needs, checks))]
    for fault in read_keys(keys, root / KEYS)[1]:
        is_given = fault.startswith("--key")
        found.append((fault, KEY_HINT if is_given else KEYS_HINT))
    return found


def diagnosis(root: Path, machine: Machine, needs: Needs) -> list[Finding]:
    """The doctor's findings: all that would stop `install`, and the machine's state."""
    found = findings(machine, needs, BY_A_DOCTOR if root == SYSTEM else IN_AN_IMAGE)
    keys = read_keys([], root / KEYS)[1]
    return found + [Finding("keys", WRONG, fault, KEYS_HINT) for fault in keys]


def _stop_where_wrong(found: list[tuple[str, str]]) -> None:
    for fault, hint in found:
        print(f"error: {fault}\nhint: {hint}", file=sys.stderr)
    if found:
        sys.exit("nothing was changed")


def _fill(archive: Path, paths: DevicePaths) -> Path:
    """Unpack the bundle into a slot, unless the live one has it; return the slot."""
    from onnxlet.edge.update.history import give_idle_slot

    live = live_slot(paths)
    try:
        with zipfile.ZipFile(archive) as bundle:
            if live and is_same(bundle, paths.slot(live)):
                print(f"{paths.slot(live)} has this bundle already")
                return paths.slot(live)
            give_idle_slot(paths)
            slot = paths.slot(idle_slot(paths))
            print(f"unpacking into {slot}: {len(bundle.namelist())} files")
            unpack(bundle, slot)
    except (BrokenBundle, zipfile.BadZipFile) as error:
        sys.exit(f"error: {archive.name} is broken: {error}\nhint: Copy it here again.")
    return slot


class BrokenBundle(Exception):
    """The zip is not what its own lists say."""


def needs_of(slot: Path) -> Needs:
    """What an unpacked bundle requires of a machine; of a checkout, only its models' size."""
    graphs = sum(path.stat().st_size for path in (slot / "models").glob(f"*/*/{GRAPH}"))
    try:
        content = json.loads((slot / "bundle.json").read_bytes())
    except FileNotFoundError:
        return Needs(graphs=graphs)
    unpacked = sum(path.stat().st_size for path in slot.rglob("*") if path.is_file())
    return Needs(content["python"], content["arch"], unpacked, graphs)


def is_same(bundle: zipfile.ZipFile, slot: Path) -> bool:
    """Whether a slot has this very bundle, with every file unchanged."""
    try:
        if any((slot / name).read_bytes() != bundle.read(name) for name in LISTS):
            return False
        return not altered(slot, digests_in(map(bundle.read, LISTS)))
    except OSError:
        return False


def unpack(bundle: zipfile.ZipFile, slot: Path) -> None:
    """Unpack a bundle into a slot that nothing runs from, and flush it to the disk.

    What was there is replaced. BrokenBundle is raised where a file is not listed, missing, outside
    the slot, or has another hash; OSError where the disk is full, or fails.
    """
    digests = digests_in(map(bundle.read, LISTS))
    listed, there = {*digests, *LISTS}, set(bundle.namelist())
    faults = [f"{path}: not on its list" for path in sorted(there - listed)]
    faults += [f"{path}: missing" for path in sorted(listed - there)]
    faults += [f"{path}: not below the bundle" for path in sorted(listed) if not _is_below(path)]
    if faults:
        raise BrokenBundle("; ".join(faults[:5]))
    empty(slot)
    for path in sorted(listed):
        target = slot / path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = bundle.read(path)
        if path in digests and hashlib.sha256(content).hexdigest() != digests[path]:
            raise BrokenBundle(f"{path}: not the file that is on its list")
        target.write_bytes(content)
    os.sync()  # one sync: thousands of fsyncs take an SD card minutes
    sync_tree(slot)  # raises if the card has failed


def _is_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path
