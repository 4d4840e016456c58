"""The bill of materials inside a bundle: CycloneDX 1.6, in JSON."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PathDistribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from onnxlet import __version__
from onnxlet.convert.bundle.archive import TIME
from onnxlet.convert.bundle.parts import Machine


def bill_of_materials(
    part: str,
    machine: Machine,
    packages: Path,
    names: Iterable[str],
    models: Iterable[tuple[str, int, str]],
) -> bytes:
    """List the packages and models of a bundle; the same input gives the same bytes.

    Distributions are named as their folders in `packages` spell them; of each version of a model
    there are the name, the number, and the SHA-256 of the graph.
    """
    whole = Component(name="onnxlet", version=__version__, type=ComponentType.APPLICATION)
    whole.bom_ref.value = "onnxlet"
    whole.properties.add(Property(name="onnxlet:python", value=machine.python))
    whole.properties.add(Property(name="onnxlet:architecture", value=machine.arch))
    wanted = set(names)
    components = [
        _package(PathDistribution(info))
        for info in sorted(packages.glob("*.dist-info"))
        if info.name.split("-")[0] in wanted
    ]
    components += [_model(*each) for each in sorted(models)]
    bom = Bom(components=components)
    bom.metadata.component = whole
    bom.metadata.timestamp = datetime(*TIME, tzinfo=UTC)
    bom.register_dependency(whole, components)
    listed = "\n".join(f"{c.type} {c.name} {c.version} {list(c.hashes)}" for c in components)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{part}, {machine}\n{listed}")
    return JsonV1Dot6(bom).output_as_string(indent=1).encode()


def _package(distribution: PathDistribution) -> Component:
    name, version = distribution.name, distribution.version
    purl = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
    metadata = distribution.metadata
    licence = next(
        (metadata[key] for key in ("License-Expression", "License") if key in metadata), ""
    )
    licences = []
    if licence and len(licence) < 100:  # some packages put the whole text there
        factory = LicenseFactory()
        licences = [
            factory.make_from_string(
                licence, license_acknowledgement=LicenseAcknowledgement.DECLARED
            )
        ]
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=licences,
    )


def _model(name: str, version: int, sha256: str) -> Component:
    return Component(
        name=name,
        version=str(version),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{name}@{version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )
