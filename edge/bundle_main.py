"""`__main__.py` of a device's bundle, and of an image.

As a zip it installs itself, unpacked it has every command.

Standard library only, until it is clear that this machine can run the bundle.
"""

import gc
import json
import platform
import sys
from pathlib import Path

OLDEST = (3, 7)  # Python that can run the installer's checks
ZIP_COMMANDS = ("install", "doctor", "-h", "--help")


def main() -> None:
    """Check the machine, and hand over to `edge`."""
    here = Path(__file__).parent
    if here.is_file():
        import zipfile  # slow to import, and not needed to serve

        if sys.argv[1:2] and sys.argv[1] in ZIP_COMMANDS and sys.version_info >= OLDEST:
            from onnxlet.edge.install.from_zip import main as run_zip_command

            return run_zip_command(here, sys.argv[1:])
        with zipfile.ZipFile(here) as bundle:
            faults = unfit(json.loads(bundle.read("bundle.json").decode()))
        faults.append(
            "as a zip it has two commands: "
            f"sudo python3 {here.name} install --key KEY, python3 {here.name} doctor; "
            f"the others once it is unpacked: python3 -m zipfile -e {here.name} FOLDER"
        )
    else:
        faults = unfit(json.loads((here / "bundle.json").read_text()))
    if faults:
        sys.exit("\n".join(f"error: {fault}" for fault in faults))
    # Resolve the `live` link: later imports are of this bundle even after the link is switched.
    sys.path[0] = str(here.resolve())
    if (here / "image.json").exists():
        from onnxlet.edge.service.process import begin

        begin()
    if sys.argv[1:] == ["health"]:  # asked for every few seconds: no more is imported than it needs
        from onnxlet.edge.service.health import main as health

        return health()
    import onnxlet.environment  # noqa: F401 - before NumPy

    if sys.argv[1:] == ["serve"]:
        gc.disable()  # until the server runs: a collection during imports would find nothing
        from onnxlet.edge.workers.serve import main as serve

        return serve()
    from onnxlet.commands import run
    from onnxlet.edge.command_line import main as commands

    run(commands, "onnxlet" if here.name == "live" else f"python3 {here.name}")


def unfit(bundle: "dict[str, str]") -> "list[str]":
    """Why this machine can't run a bundle, in plain words; empty if it can."""
    faults = []
    python = "{}.{}".format(*sys.version_info[:2])
    if python != bundle["python"]:
        faults.append(f"this bundle is for Python {bundle['python']}, and this is {python}")
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(
        platform.machine().lower(), platform.machine()
    )
    if machine != bundle["arch"] or sys.maxsize < 2**32:
        bits = "" if sys.maxsize > 2**32 else ", with a 32-bit Python"
        faults.append(f"this bundle is for {bundle['arch']}, and this machine is {machine}{bits}")
    return faults


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # while a zip is unpacked into the slot that does not serve
        sys.exit("\nAborted!")
