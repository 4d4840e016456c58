"""What is deployed names nobody's account, and docs/how-to/deploy.md describes it as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxlet.convert.bundle.parts import ARCHES, PYTHONS
from onnxlet.function.errors import OnnxletError
from onnxlet.function.settings import Settings
from tests.conftest import ROOT
from tools.deploy.options import NOT_HANDED_ON, OPTIONS, read_plan
from tools.deploy.verification import differences

SERVERLESS = ROOT / "serverless.yml"
DOCUMENT = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
DEPLOYED = [
    SERVERLESS,
    ROOT / "package.json",
    *sorted((ROOT / "tools" / "deploy").glob("*.py")),
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
]
# What the function has of its own: make deploy's options and resources set it, not a setting.
SET_BY_IT = {
    *("ONNXLET_MODELS_URL", "ONNXLET_ANSWERS_QUEUE", "ONNXLET_EMF_NAMESPACE"),
    *("ONNXLET_SCORE_FROM", "ONNXLET_SCORE_TO"),
}
HERE = {"ONNXLET_MODELS", "ONNXLET_RUNTIME"}  # read by the packager


class Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML has no types
    """Reads CloudFormation's tags as what stands behind them."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _tagged)


@pytest.fixture(scope="module")
def service() -> Any:
    return yaml.load(SERVERLESS.read_text(), Loader)  # noqa: S506 - made of SafeLoader


def test_a_version_describes_itself_in_words(service: Any) -> None:
    text = service["functions"]["predict"]["description"]
    assert text == "${param:description}, ${self:custom.described.${param:snapStart}}"
    assert service["custom"]["described"] == {"0": "without SnapStart", "1": "with SnapStart"}


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: path.name)
def test_nothing_of_an_account_is_in_it(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"\b\d{12}\b", text) == []  # account ids
    assert re.findall(r"\b(?:us|eu|ap|sa|ca|me|af|il|cn|mx)-[a-z]+-\d\b", text) == []  # regions
    assert re.findall(r"arn:aws[\w-]*:[a-z]", text) == []
    assert re.findall(r"s3://(?!BUCKET)[\w.-]+", text) == []
    assert re.findall(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", text) == []


def test_npm_packages_are_pinned_and_their_registry_is_not() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    asked = package["dependencies"] | package["devDependencies"]
    assert [each for each in asked.values() if not re.fullmatch(r"[\d.]+", each)] == []
    assert [name for name, each in lock.items() if "resolved" in each] == []
    assert [name for name, each in lock.items() if name and "integrity" not in each] == []


def test_the_options_are_those_of_the_document(service: Any) -> None:
    params = service["params"]["default"]
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \| .* \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert [name for name, _ in rows] == list(OPTIONS)
    of_settings = {"MODELS": "`ONNXLET_MODELS`, else "}  # then the option's own
    told = {
        name: default.removeprefix(of_settings.get(name, "")).strip("`")
        for name, default in rows
        if default.startswith("`")
    }
    assert told == {
        name: option.default or str(params[option.param])
        for name, option in OPTIONS.items()
        if option.default or params.get(option.param) not in (None, "")
    }


def test_the_workflow_hands_the_options_on(service: Any) -> None:
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    handed_on = set(re.findall(r"^ {10}([A-Z0-9_]+): \$\{\{", workflow, re.MULTILINE))
    not_read = {"MODELS", "REMOTE", "MODELS_URL", "TMP_MB"}
    assert handed_on == set(OPTIONS) - {"BUNDLE"} - not_read | settings_of(service)
    page = (ROOT / "docs" / "how-to" / "deploy-from-github.md").read_text()
    [told] = re.findall(r"Four are not read: (.*?) deployed by hand", page)
    assert set(re.findall("`([A-Z_]+)`", told)) == not_read
    steps = yaml.safe_load(workflow)["jobs"]["package"]["steps"]
    [packs] = [each["env"] for each in steps if "make package" in each.get("run", "")]
    assert packs == {
        name: f"${{{{ vars.{name} || '{OPTIONS[name].default}' }}}}"
        for name in ("ARCH", "PYTHON_VERSION")
    }
    [python] = [s["with"]["python-version"] for s in steps if "setup-python" in s.get("uses", "")]
    assert python == packs["PYTHON_VERSION"]  # it compiles the bundle


def settings_of(service: Any) -> set[str]:
    """Those that serverless.yml takes out of the environment."""
    environment = service["functions"]["predict"]["environment"]
    return {name for name, value in environment.items() if "${env:" in str(value)}


def test_the_document_lists_pythons_and_architectures() -> None:
    assert f"{PYTHONS[0]} to {PYTHONS[-1]}" in DOCUMENT
    assert " or ".join(f"`{each}`" for each in ARCHES) in DOCUMENT


def test_every_default_is_one_that_may_be_set(service: Any) -> None:
    params = service["params"]["default"]
    values = {
        name: option.default or str(params.get(option.param, ""))
        for name, option in OPTIONS.items()
    }
    assert read_plan(values).stack == "onnxlet-dev"


def test_every_setting_reaches_the_function(service: Any) -> None:
    with pytest.raises(OnnxletError) as caught:
        Settings.from_environ({"ONNXLET_NO_SUCH_THING": "x"})
    assert "ONNXLET_NO_SUCH_THING" in caught.value.message
    known = set(
        re.findall(r'"ONNXLET_([A-Z_]+[A-Z])"', (ROOT / "function" / "settings.py").read_text())
    )
    handed_on = settings_of(service)
    assert set(service["functions"]["predict"]["environment"]) == handed_on | SET_BY_IT
    assert handed_on == {f"ONNXLET_{name}" for name in known} - HERE - NOT_HANDED_ON.keys()
    [listed] = re.findall(r"mean something on Lambda: (.*)", DOCUMENT)
    assert set(re.findall(r"ONNXLET_\w+", listed.partition(". ")[0])) == handed_on


def test_a_queue_hides_what_is_being_answered_for_six_times_the_timeout(service: Any) -> None:
    params = service["params"]["default"]
    assert params["visibility"] == 6 * params["timeout"]
    assert read_plan({"TIMEOUT": "100"}).params()["visibility"] == "600"


def test_the_function_gives_up_before_lambda_does(service: Any) -> None:
    params = service["params"]["default"]
    assert params["maxSeconds"] == params["timeout"] - 1
    assert read_plan({"TIMEOUT": "100"}).params()["maxSeconds"] == "99"
    assert read_plan({"TIMEOUT": "1"}).params()["maxSeconds"] == "1"


GOLDEN = {
    "instances": [[1.5], [2.5], [3.5]],
    "answers": {"prediction": ["a", "b", "a"], "probabilities": [[0.9, 0.1], [0.2, 0.8], [1, 0]]},
    "tolerance": 1e-5,
}
RIGHT = {"model": "m", "version": 2, **GOLDEN["answers"]}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (RIGHT, ""),
        (RIGHT | {"version": 1}, "version 1 answered"),
        (
            RIGHT | {"prediction": ["a", "secret", "a"]},
            "1 of 3 golden rows are answered differently: [1]",
        ),
        (
            RIGHT
            | {"prediction": ["b", "b", "a"], "probabilities": [[0.9, 0.1], [0.3, 0.7], [1, 0]]},
            "2 of 3 golden rows are answered differently: [0, 1]",
        ),
        (
            {"status": 422, "title": "Unprocessable Content", "detail": "got 'secret'"},
            "no prediction, but status 422: Unprocessable Content",
        ),
        (None, "no prediction, but status None: None"),
    ],
)
def test_what_is_off_is_reported_without_anybody_s_data(answer: Any, told: str) -> None:
    assert differences(answer, GOLDEN, 2) == told
