"""The wheel's bill of materials: `make dist` writes it, and builds it in, as PEP 770 has it.

It lists what the wheel has of others, the examples' data, and what its metadata ask for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

from cyclonedx.model.component import Component
from packaging.requirements import Requirement

from onnxlet.convert.bundle.bill import bill_of_materials, data, licence_of, requirement
from onnxlet.convert.directory.durable import whole
from onnxlet.convert.directory.model_directory import sha256

ROOT = Path(__file__).resolve().parent.parent
BILL = ROOT / "build" / "onnxlet.cdx.json"
DATA = ROOT / "convert" / "examples" / "data"
OURS = re.compile("made here|written for this project|as the project's own")


def _of_others() -> Iterator[Component]:
    """The examples' data, as the table beside them has it."""
    rows = re.findall(
        r"^\| `(.*?)` \| (.*?) \| (.*?) \| (.*?) \|$",
        (DATA / "SOURCES.md").read_text(),
        re.MULTILINE,
    )
    for file, what, source, licence in rows:
        if not OURS.search(licence):
            path = f"onnxlet/convert/examples/data/{file}"
            about = f"{what}; taken from {source}".replace("`", "")
            yield data(path, about, licence, sha256((DATA / file).read_bytes()))


def _asked_for() -> Iterator[Component]:
    """What the metadata ask for, with the licences of what is locked here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {Requirement(each).name for each in project["dependencies"]}
    optional = {
        Requirement(each).name
        for extra in project["optional-dependencies"].values()
        for each in extra
    }
    # Others may be installed here or not: the bill would have their licences by chance.
    lock = (ROOT / "requirements" / "dev.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    for name in sorted(needed | optional):
        licence = licence_of(metadata(name)) if name in locked else ""
        yield requirement(name, licence, optional=name not in needed)


def wheel_bill() -> bytes:
    """The bill of materials, the same for the same checkout."""
    return bill_of_materials("wheel", [*_of_others(), *_asked_for()])


if __name__ == "__main__":
    BILL.parent.mkdir(exist_ok=True)
    with whole(BILL) as part:
        part.write_bytes(wheel_bill())
