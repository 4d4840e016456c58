"""What takes what in a bundle, against the limits of where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from onnxlet.convert.bundle.parts import MEGABYTE, Budget
from onnxlet.convert.errors import PackagingFailed

PARTS_NAMED = 3
OTHERS = "the rest"
NAMES = {"PIL": "pillow"}  # of folders that are called otherwise than their package


class Part(NamedTuple):
    """Bytes of one part of a bundle."""

    name: str  # of a package, of `function`, or of a model's version
    unpacked: int  # bytes on disk
    zipped: int  # bytes in the zip


def parts_of(unpacked: Mapping[str, int], zipped: Mapping[str, int]) -> list[Part]:
    """The parts of a bundle, largest first, by the bytes of each file unpacked and in the zip."""
    sums: dict[str, list[int]] = {}
    for path, size in unpacked.items():
        both = sums.setdefault(_part(path), [0, 0])
        both[0] += size
        both[1] += zipped[path]
    return sorted((Part(name, *both) for name, both in sums.items()), key=lambda p: -p.unpacked)


def _part(path: str) -> str:
    folders = path.split("/")
    if folders[0] == "models":
        return "/".join(folders[:3])
    if len(folders) == 1:
        return folders[0].removesuffix(".py")
    name = folders[0].removesuffix(".libs").split("-")[0]
    return NAMES.get(name, name)


def table(parts: Iterable[Part], zip_bytes: int, limits: Mapping[str, Budget]) -> list[str]:
    """The parts and their sum against named limits, as lines to print."""
    parts = list(parts)
    shown = [part for part in parts if part.unpacked >= MEGABYTE / 10]
    rest = [part for part in parts if part.unpacked < MEGABYTE / 10]
    if rest:
        shown.append(Part(OTHERS, sum(p.unpacked for p in rest), sum(p.zipped for p in rest)))
    whole = Part("in all", sum(part.unpacked for part in parts), zip_bytes)
    shown.append(whole)
    shown += [Part(name, most.unpacked, most.zipped) for name, most in limits.items()]
    width = max(len(part.name) for part in shown)
    head = f"{'':{width}}  {'unpacked':>11}  {'zipped':>11}"
    return [head, *(_line(part, width) for part in shown)]


def _line(part: Part, width: int) -> str:
    return f"{part.name:{width}}  {_megabytes(part.unpacked):>11}  {_megabytes(part.zipped):>11}"


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MB"


def check(parts: Iterable[Part], zip_bytes: int, budget: Budget) -> None:
    """Refuse a bundle over its budget: PackagingFailed says so, and which parts are the largest."""
    parts = list(parts)
    unpacked = sum(part.unpacked for part in parts)
    over = [
        f"{what}: expected at most {_megabytes(most)}, got {_megabytes(got)}"
        for what, got, most in (
            ("unpacked", unpacked, budget.unpacked),
            ("zipped", zip_bytes, budget.zipped),
        )
        if got > most
    ]
    if over:
        largest = ", ".join(f"{p.name} {_megabytes(p.unpacked)}" for p in parts[:PARTS_NAMED])
        raise PackagingFailed(
            f"the bundle is over its budget: {'; '.join(over)}; the largest parts are {largest}",
            "Package fewer models (--model NAME), leave a model's graph to S3 (--remote NAME), "
            "or raise the budget (--max-zipped, --max-unpacked) where the target takes it.",
        )
