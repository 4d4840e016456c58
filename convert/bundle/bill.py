"""Bills of materials: what a bundle, an image, a folder for browsers or the wheel is made of.

They are CycloneDX 1.6, in JSON: https://cyclonedx.org/docs/1.6/json/. The same components give the
same bytes: there is no time in them, and the serial number is made of what is listed.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageMetadata, PathDistribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from onnxlet.convert.bundle.archive import TIME
from onnxlet.convert.bundle.npm import NpmPackage
from onnxlet.folders import VERSION

# SPDX's, of how metadata and tables of ours name licences
IDS = {"MIT License": "MIT", "Unicode License v3": "Unicode-3.0"}
OWN = "BSD-3-Clause"


def bill_of_materials(
    part: str, components: Iterable[Component], about: Mapping[str, str] | None = None
) -> bytes:
    """List what a part of this project is made of; the same input gives the same bytes.

    Args:
        part: what it is, such as "function".
        components: in any order, each once.
        about: what else is said of the whole, such as its `architecture`.
    """
    about = about or {}
    purl = PackageURL("pypi", name="onnxlet", version=VERSION)
    whole = Component(
        name="onnxlet", version=VERSION, type=ComponentType.APPLICATION, purl=purl,
        bom_ref="onnxlet", licenses=_licences(OWN),
        properties=[Property(name=f"onnxlet:{key}", value=about[key]) for key in about],
    )  # fmt: skip
    listed = sorted(components, key=lambda each: str(each.bom_ref.value))
    bom = Bom(components=listed)
    bom.metadata.component = whole
    bom.metadata.timestamp = datetime(*TIME, tzinfo=UTC)
    bom.register_dependency(whole, listed)
    lines = [f"{c.type} {c.name} {c.version} {list(c.hashes)}" for c in listed]
    named = "\n".join([f"{part} {VERSION}, {dict(about)}", *lines])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, named)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode()


def packages_of(folder: Path, names: Iterable[str]) -> list[Component]:
    """The distributions installed in a folder, of names as their folders there spell them."""
    wanted = set(names)
    found = (each for each in folder.glob("*.dist-info") if each.name.split("-")[0] in wanted)
    return [_package(PathDistribution(each)) for each in found]


def _package(distribution: PathDistribution) -> Component:
    name, version = distribution.name, distribution.version
    purl = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
    licences = _licences(licence_of(distribution.metadata))
    return _component(name, version, purl, licences)


def licence_of(metadata: PackageMetadata) -> str:
    """What a distribution's metadata call its licence, in a word or two; '' where they don't."""
    told = [metadata[key] for key in ("License-Expression", "License") if key in metadata]
    classifiers = [each.split(" :: ") for each in metadata.get_all("Classifier", ())]
    told += [each[-1] for each in classifiers if each[0] == "License"]
    # Some packages put the whole text there.
    return next((each for each in told if each != "UNKNOWN" and len(each) < 100), "")


def served_model(name: str, version: int, sha256: str) -> Component:
    """A version of a model, by the SHA-256 of its graph."""
    return Component(
        name=name,
        version=str(version),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{name}@{version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )


def npm_package(package: NpmPackage) -> Component:
    """A package of npm's, of which some files are taken: its hash is that of the whole package.

    ValueError is raised where its `integrity` is no SHA-512.
    """
    kind, _, encoded = package.integrity.partition("-")
    if kind != "sha512":
        raise ValueError(f"{package.name}: expected sha512-…, got '{package.integrity}'")
    scope, _, name = package.name.rpartition("/")
    purl = PackageURL("npm", scope or None, name, package.version)
    made = _component(package.name, package.version, purl, _licences(package.licence))
    digest = base64.b64decode(encoded, validate=True).hex()
    made.hashes.add(HashType(alg=HashAlgorithm.SHA_512, content=digest))
    return made


def debian_package(name: str, version: str, architecture: str) -> Component:
    """A package of Debian's. Its licences stand in the image, in /usr/share/doc/NAME/copyright."""
    purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
    return _component(name, version, purl, [])


def requirement(name: str, licence: str, optional: bool) -> Component:
    """A package that is asked for and not in there: whoever installs it chooses its version."""
    made = _component(name, None, PackageURL("pypi", name=name), _licences(licence))
    made.scope = ComponentScope.OPTIONAL if optional else ComponentScope.REQUIRED
    return made


def data(path: str, about: str, licence: str, sha256: str) -> Component:
    """A file of somebody else's data."""
    return Component(
        name=path,
        type=ComponentType.DATA,
        description=about,
        bom_ref=f"file:{path}",
        licenses=_licences(licence),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )


def _component(
    name: str, version: str | None, purl: PackageURL, licences: Iterable[License]
) -> Component:
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=licences,
    )


def _licences(licence: str) -> list[License]:
    """A licence as its owner declares it: by SPDX's name where it has one; none where it is ''."""
    if not licence:
        return []
    declared = LicenseAcknowledgement.DECLARED
    made = LicenseFactory().make_from_string(
        IDS.get(licence, licence), license_acknowledgement=declared
    )
    return [made]
