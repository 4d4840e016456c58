"""The Serverless Framework's open fork, which npm installs into node_modules."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.deploy.cloud import Cloud
from tools.deploy.errors import DeployFailed

ROOT = Path(__file__).resolve().parents[2]
OSLS = ROOT / "node_modules" / ".bin" / "osls"
EMULATED = {"SLS_AWS_MONITORING_FREQUENCY": "300"}  # ms; AWS itself is asked every 5 s


def run_osls(
    action: str, stage: str, params: Mapping[str, str], cloud: Cloud, api_keys: str, *flags: str
) -> None:
    """Carry out `deploy`, `remove` or `package`; DeployFailed, with what it said, where it fails.

    `params` are those of serverless.yml that are not at their defaults; no `api_keys` means open.
    """
    command = [str(OSLS), action, "--stage", stage, "--region", str(cloud.region), *flags]
    for name, value in sorted(params.items()):
        if value:  # osls takes no empty one, and where it matters the default is
            command += ["--param", f"{name}={value}"]
    environ = cloud.environ() | (EMULATED if cloud.is_here else {}) | {"ONNXLET_API_KEYS": api_keys}
    environ |= {"CI": "1", "NODE_NO_WARNINGS": "1"}  # no questions, nothing of SDKs to come
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = "\n".join(line for line in done.stdout.splitlines() if line.strip())
        raise DeployFailed(f"osls {action} failed:\n{said}", "What was served is still served.")
