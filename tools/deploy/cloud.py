"""AWS, or an emulator at AWS_ENDPOINT_URL; and osls, which deploys to it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools.deploy.errors import DeployFailed

ROOT = Path(__file__).resolve().parents[2]
OSLS = ROOT / "node_modules" / ".bin" / "osls"  # the Serverless Framework's open fork, by npm
EMULATED = {"SLS_AWS_MONITORING_FREQUENCY": "300"}  # ms; AWS itself is asked every 5 s
MADE_UP = "onnxlet-local"  # credentials for an emulator on this machine, which checks none
PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
REFUSED = (Boto3Error, BotoCoreError, ClientError)


@dataclass(frozen=True)
class Cloud:
    """Where things are deployed."""

    given: Mapping[str, str]  # this process's environment
    endpoint: str | None  # of an emulator, or None for AWS itself
    region: str | None  # or None where none is known
    profile: str | None  # of AWS's own files, or None
    made_up: bool  # the credentials, since an emulator on this machine checks none
    fault: str = ""  # what is wrong with the profile; nothing else can be asked then

    @property
    def is_here(self) -> bool:
        """An emulator on this machine."""
        return self.endpoint is not None and is_loopback(self.endpoint)

    def client(self, service: str, seconds: int = 60) -> Any:
        """A client of one service, which waits so long for an answer."""
        return self._session().client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            config=Config(read_timeout=seconds, retries={"mode": "standard"}),
        )

    def _session(self) -> boto3.Session:
        made_up = {"aws_access_key_id": MADE_UP, "aws_secret_access_key": MADE_UP}
        return boto3.Session(profile_name=self.profile, **(made_up if self.made_up else {}))

    def environ(self) -> dict[str, str]:
        """For other programs: the credentials as they are, however boto3 came by them."""
        environ = {k: v for k, v in self.given.items() if k not in PROFILES + SECRETS}
        found = self._session().get_credentials()
        if found is not None:
            now = found.get_frozen_credentials()
            secrets = (now.access_key, now.secret_key, now.token)
            environ |= {name: each for name, each in zip(SECRETS, secrets, strict=True) if each}
        return environ | dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), str(self.region))

    def has_credentials(self) -> bool:
        """Whether there are any; AWS is not asked whether it takes them."""
        return self._session().get_credentials() is not None

    def check_credentials(self) -> None:
        """Ask AWS whether it knows who is asking; one of REFUSED where it does not."""
        self.client("sts", seconds=20).get_caller_identity()


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine and no other."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def cloud_of(environ: Mapping[str, str]) -> Cloud:
    """What the environment says; AWS's own files are asked where it is silent."""
    endpoint = environ.get("AWS_ENDPOINT_URL") or None
    profile = environ.get("AWS_PROFILE") or None
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    here = endpoint is not None and is_loopback(endpoint)
    made_up = here and not environ.get("AWS_ACCESS_KEY_ID") and profile is None
    try:
        session = boto3.Session(profile_name=profile)
    except BotoCoreError as error:
        return Cloud(environ, endpoint, region, profile, made_up, str(error))
    region = region or session.region_name
    if here and not region:  # an emulator has them all
        region = boto3.Session().get_available_regions("lambda")[0]
    return Cloud(environ, endpoint, region, profile, made_up)


def run_osls(
    action: str, stage: str, params: Mapping[str, str], cloud: Cloud, api_keys: str, *flags: str
) -> None:
    """Have osls `deploy`, `remove` or `package`; DeployFailed, with what it said, where it fails.

    `params` are those of serverless.yml that are not at their defaults; no `api_keys` means open.
    """
    command = [str(OSLS), action, "--stage", stage, "--region", str(cloud.region), *flags]
    for name, value in sorted(params.items()):
        if value:  # osls takes no empty one, and where it matters the default is
            command += ["--param", f"{name}={value}"]
    # serverless.yml has defaults for what is not there, and none for what is empty.
    given = {k: v for k, v in cloud.environ().items() if v or not k.startswith("ONNXLET_")}
    environ = given | (EMULATED if cloud.is_here else {}) | {"ONNXLET_API_KEYS": api_keys}
    environ |= {"CI": "1", "NODE_NO_WARNINGS": "1"}  # no questions, nothing of SDKs to come
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = "\n".join(line for line in done.stdout.splitlines() if line.strip())
        raise DeployFailed(f"osls {action} failed:\n{said}", "What was served is still served.")
