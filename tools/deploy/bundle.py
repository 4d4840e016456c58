"""The bundle that is deployed: packaged for where it will run, or one from before."""

from __future__ import annotations

import json
import platform
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxlet.convert.progress import Report
from onnxlet.function.errors import ModelError
from onnxlet.function.model_files import check_hash
from onnxlet.function.models.aliases import PIN_HINT, serves
from onnxlet.function.models.model import Model
from tools.deploy.errors import DeployFailed
from tools.deploy.options import Plan

if TYPE_CHECKING:
    from tools.deploy.cloud import Cloud  # with boto3, which only deploying needs

ROOT = Path(__file__).resolve().parents[2]
PACKAGER = ROOT / ".venv" / "bin" / "python"
EMULATOR = ROOT / ".venv-emulator" / "bin" / "python"
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "x86_64"}  # uname's names and Lambda's


@dataclass(frozen=True)
class Bundle:
    """A zip that `python -m convert package` wrote."""

    path: Path
    about: Mapping[str, Any]  # its bundle.json
    # Of models by name the version, or its alias, that is served instead of its own.
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, int]:
        """The version that is served, by name."""
        return {name: self._served(name) for name in self.about["models"]}

    def versions(self, model: str) -> list[int]:
        """Those that are in it."""
        return list(self.about.get("versions", {}).get(model) or [self.about["models"][model]])

    def _served(self, model: str) -> int:
        pin = self.pins.get(model)
        if pin is None:
            return int(self.about["models"][model])
        aliases = {} if pin.isdecimal() else self._read(f"models/{model}/aliases.json")
        return serves(model, self.versions(model), aliases, pin)

    @property
    def handler(self) -> str:
        """Where Lambda finds the handler; older bundles have no folder `onnxlet`."""
        of_old = "function/handler.py" in self.about.get("files", {})
        return "function.handler.handler" if of_old else "onnxlet.function.handler.handler"

    @property
    def remote(self) -> list[str]:
        """Names of the models whose graph is not in it."""
        return list(self.about["remote"])

    def read(self, model: str, file: str, version: int | None = None) -> Any:
        """One of the JSON files of a model's version, without one of that which is served."""
        return self._read(f"models/{model}/{version or self.models[model]}/{file}")

    def _read(self, path: str) -> Any:
        with zipfile.ZipFile(self.path) as archive:
            return json.loads(archive.read(path)) if path in archive.namelist() else {}

    def params(self) -> dict[str, str]:
        """What serverless.yml has to know of it."""
        models = ", ".join(f"{name}/{version}" for name, version in self.models.items())
        room = 200  # of 256 characters that a description may have
        return {
            "bundle": str(self.path),
            "python": self.about["python"],
            "handler": self.handler,
            "architecture": ARCHITECTURES[self.about["arch"]],
            "description": models if len(models) <= room else f"{models[:room]}...",
        }


def read_bundle(path: Path, pins: Mapping[str, str] | None = None) -> Bundle:
    """Read what a bundle says of itself.

    DeployFailed where it is none, ModelError where what is pinned is not in it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("bundle.json"))
        if about["format"] != 1 or about["arch"] not in ARCHITECTURES or not about["models"]:
            raise ValueError("it is of another format")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DeployFailed(
            f"BUNDLE: '{path}' is no bundle: {error}", "Make one: make package."
        ) from error
    bundle = Bundle(path.resolve(), about, pins or {})
    if away := sorted(bundle.pins.keys() - bundle.models.keys()):
        there = ", ".join(bundle.models)
        raise ModelError(f"ONNXLET_SERVE: no model {', '.join(away)}; there are {there}", PIN_HINT)
    return bundle


def described(name: str, version: int, manifest: Mapping[str, Any]) -> Model:
    """A model's description, without its graph."""

    def closed() -> Any:
        raise DeployFailed(f"{name}/{version} is not to be run here")

    return Model(name, version, manifest, closed)


def make_bundle(plan: Plan, cloud: Cloud, report: Report) -> Bundle:
    """Package the models for where they will run, unless a bundle is there already.

    DeployFailed where that can't be; the packager has said why.
    """
    if "BUNDLE" in plan.values:
        return read_bundle(Path(plan.values["BUNDLE"]), plan.pins)
    python, arch = target_of(plan, cloud)
    out = ROOT / "build" / "deploy" / f"onnxlet-{plan.stage}.zip"
    report(f"packaging {plan.models} for Python {python}, {arch}")
    command = [str(PACKAGER), "-m", "convert", "package", "--models", str(plan.models.resolve())]
    command += ["--python", python, "--arch", arch, "--out", str(out)]
    for name in plan.values.get("REMOTE", "").split():
        command += ["--remote", name]
    out.parent.mkdir(parents=True, exist_ok=True)
    if subprocess.run(command, cwd=ROOT, check=False).returncode:  # noqa: S603 - our own arguments
        raise DeployFailed("the bundle can't be packaged: see above")
    return read_bundle(out, plan.pins)


def target_of(plan: Plan, cloud: Cloud) -> tuple[str, str]:
    """Python and architecture of a bundle.

    An emulator on this machine runs functions by its own Python, on this machine's processor.
    """
    python, arch = plan.values["PYTHON_VERSION"], plan.values["ARCH"]
    if cloud.is_here and plan.default_python and EMULATOR.exists():
        ask = "import sys; print('%d.%d' % sys.version_info[:2])"
        python = subprocess.check_output([EMULATOR, "-c", ask], text=True).strip()  # noqa: S603
    if cloud.is_here and plan.default_arch:
        arch = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return python, arch


def upload_graphs(bundle: Bundle, plan: Plan, cloud: Cloud, report: Report) -> None:
    """Put the graphs that are not in the bundle where the function will fetch them.

    DeployFailed where one is not there, ModelError where it is another than the bundle's.
    """
    url = plan.values.get("MODELS_URL", "")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    for name, version in ((n, v) for n in bundle.remote for v in bundle.versions(n)):
        folder = f"{name}/{version}"
        source = plan.models / folder / "model.onnx"
        if not source.is_file():
            raise DeployFailed(f"MODELS: expected the bundle's graph '{source}', got none")
        digest = bundle.read(name, "manifest.json", version)["files"]["model.onnx"]
        check_hash(source.read_bytes(), digest, f"MODELS: '{source}'")
        key = f"{folder}/{digest}.onnx"  # beside what `live` fetches, never in its place
        report(f"uploading {key} to {url}")
        cloud.client("s3", seconds=600).upload_file(str(source), bucket, f"{prefix}/{key}")
