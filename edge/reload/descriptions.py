"""What is served at one moment, in words: processes compare these before all switch.

The words name each model's versions, the one that is served and its aliases, and of each version a
hash of its manifest, which has the hashes of all its other files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxlet.function import json_text
from onnxlet.function.errors import ModelError, OnnxletError
from onnxlet.function.hashes import sha256
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import MANIFEST, Model
from onnxlet.function.models.repository import Catalogue, Repository
from onnxlet.function.orjson_alone import orjson

AGAIN = "The others go on with the version that they have loaded; it has to be there unaltered."

Hash = Callable[[str, int], str]  # of a version's manifest; empty where it can't be read


def hash_of(manifest: Any) -> str:
    """The hash of a manifest, however its file is formatted."""
    return sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()


def hash_in(directory: Path) -> str:
    """The hash of a version's manifest; empty where it can't be read."""
    try:
        return hash_of(json_text.loads(read_file(directory, MANIFEST)))
    except (OSError, OnnxletError, orjson.JSONEncodeError):
        return ""


def describe(catalogue: Catalogue, hash_of_version: Hash) -> bytes:
    """A catalogue in words, equal for equal ones.

    The hash is asked for of versions that are not the served one.
    """
    models: dict[str, Any] = {}
    for name, versions in catalogue.versions.items():
        served = catalogue.loaded[name, catalogue.served[name]]
        hashes = {
            str(number): hash_of(served.manifest)
            if number == served.version
            else hash_of_version(name, number)
            for number in versions
        }
        aliases = dict(catalogue.aliases.get(name, {}))
        models[name] = {"served": served.version, "versions": hashes, "aliases": aliases}
    return orjson.dumps(models, option=orjson.OPT_SORT_KEYS)


def fits(described: Mapping[str, Any], model: Model) -> bool:
    """Whether a loaded version is one of those that a description names."""
    versions = described.get(model.name, {}).get("versions", {})
    return bool(versions.get(str(model.version)) == hash_of(model.manifest))


def begun(described: bytes, repository: Repository) -> Catalogue:
    """The catalogue that a description is of, as `describe` gives it, of a repository's folders.

    Raises ModelError where a served version is not there any more, can't be loaded, or is another
    one.
    """
    models, there = json_text.loads(described), repository.there()
    versions: dict[str, Sequence[int]] = {}
    loaded: dict[tuple[str, int], Model] = {}
    for name, about in models.items():
        number = about["served"]
        label = f"model {name}/{number}"
        if number not in there.get(name, ()):
            raise ModelError(f"{label}: it is not there any more, and others serve it", AGAIN)
        model = repository.load(name, number)
        if not fits(models, model):
            raise ModelError(f"{label}: it was altered since others have loaded it", AGAIN)
        loaded[name, number] = model
        versions[name] = sorted(n for n in map(int, about["versions"]) if n in there[name])
    served = {name: about["served"] for name, about in models.items()}
    aliases = {
        name: {alias: to for alias, to in about["aliases"].items() if to in versions[name]}
        for name, about in models.items()
    }
    return Catalogue(versions, loaded, served, aliases)
