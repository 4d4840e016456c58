"""Bills of materials: valid by CycloneDX' own schema, and the same for the same components."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from onnxlet.convert.bundle.bill import (
    bill_of_materials,
    data,
    debian_package,
    npm_package,
    requirement,
    served_model,
)
from onnxlet.convert.bundle.npm import NpmPackage
from onnxlet.folders import VERSION
from tests.conftest import ROOT
from tools.wheel_bill import wheel_bill

SHA512 = "f8" * 64
PYODIDE = NpmPackage(
    "pyodide",
    "314.0.8",
    f"sha512-{base64.b64encode(bytes.fromhex(SHA512)).decode()}",
    "MPL-2.0",
    ("pyodide.mjs",),
)
COMPONENTS = [
    npm_package(PYODIDE),
    npm_package(PYODIDE._replace(name="@scope/part")),
    debian_package("libc6", "2.41-12", "arm64"),
    requirement("numpy", "BSD-3-Clause", optional=False),
    requirement("duckdb", "", optional=True),
    data("a.csv", "rows", "BSD-3-Clause; MNIST: CC BY-SA 3.0", "ab" * 32),
    served_model("iris", 2, "cd" * 32),
]


def listed(bill: bytes) -> dict[str, Any]:
    """Components by name, of a bill that the schema takes."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.decode()) is None
    return {each["name"]: each for each in json.loads(bill)["components"]}


def test_every_kind_of_component_is_valid_and_says_what_it_is() -> None:
    found = listed(bill_of_materials("all", COMPONENTS, {"architecture": "aarch64"}))

    assert found["pyodide"]["purl"] == "pkg:npm/pyodide@314.0.8"
    assert found["pyodide"]["hashes"] == [{"alg": "SHA-512", "content": SHA512}]
    assert found["pyodide"]["licenses"][0]["license"]["id"] == "MPL-2.0"
    assert found["@scope/part"]["purl"] == "pkg:npm/%40scope/part@314.0.8"
    assert found["libc6"]["purl"] == "pkg:deb/debian/libc6@2.41-12?arch=arm64"
    assert (found["numpy"]["scope"], found["duckdb"]["scope"]) == ("required", "optional")
    assert "version" not in found["numpy"]
    assert "licenses" not in found["duckdb"]
    assert found["a.csv"]["licenses"][0]["license"]["name"].startswith("BSD-3-Clause; MNIST")
    assert found["iris"]["type"] == "machine-learning-model"


def test_the_whole_is_this_project_with_its_licence() -> None:
    told = json.loads(bill_of_materials("all", [], {"python": "3.13"}))["metadata"]["component"]

    assert (told["name"], told["version"]) == ("onnxlet", VERSION)
    assert told["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    assert told["properties"] == [{"name": "onnxlet:python", "value": "3.13"}]


def test_the_same_components_give_the_same_bytes_in_any_order() -> None:
    one = bill_of_materials("all", COMPONENTS)

    assert bill_of_materials("all", reversed(COMPONENTS)) == one
    assert bill_of_materials("all", COMPONENTS[1:]) != one
    fewer = json.loads(bill_of_materials("all", COMPONENTS[1:]))
    assert fewer["serialNumber"] != json.loads(one)["serialNumber"]


def test_a_hash_that_is_no_sha512_is_not_passed_on() -> None:
    with pytest.raises(ValueError, match=r"pyodide: expected sha512-…, got 'sha1-ab'"):
        npm_package(PYODIDE._replace(integrity="sha1-ab"))


def test_the_wheel_s_bill_has_others_data_and_all_that_is_asked_for() -> None:
    found = listed(wheel_bill())
    notice = (ROOT / "NOTICE").read_text()

    files = {name for name, each in found.items() if each["type"] == "data"}
    assert {
        f"onnxlet/convert/examples/data/{name}" for name in ("ames.csv.gz", "faces.npz")
    } < files
    for file in files:
        assert re.search(rf"\b{re.escape(file.rpartition('/')[2])}\b", notice), file
        assert (ROOT / file.removeprefix("onnxlet/")).is_file()
        assert found[file]["licenses"]
    assert found["numpy"]["scope"] == found["flask"]["scope"] == "required"
    assert found["scikit-learn"]["scope"] == "optional"
    assert found["flask"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    assert wheel_bill() == wheel_bill()
