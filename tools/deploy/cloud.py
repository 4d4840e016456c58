"""AWS, or what AWS_ENDPOINT_URL says takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

MADE_UP = "onnxlet-local"  # credentials for an emulator on this machine, which checks none
REFUSED = (BotoCoreError, ClientError)


@dataclass(frozen=True)
class Cloud:
    """Where things are deployed.

    Attributes:
        environ: of the processes that are started, region and credentials included.
        endpoint: of an emulator, or None for AWS itself.
        region: or None where none is known.
        profile: of AWS's own files, or None.
        made_up: the credentials, since an emulator on this machine checks none.
    """

    environ: Mapping[str, str]
    endpoint: str | None
    region: str | None
    profile: str | None
    made_up: bool

    @property
    def is_here(self) -> bool:
        """An emulator on this machine."""
        return self.endpoint is not None and is_loopback(self.endpoint)

    def client(self, service: str, seconds: int = 60) -> Any:
        """A client of one service, which waits so long for an answer."""
        made_up = {"aws_access_key_id": MADE_UP, "aws_secret_access_key": MADE_UP}
        session = boto3.Session(profile_name=self.profile, **(made_up if self.made_up else {}))
        return session.client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            config=Config(read_timeout=seconds, retries={"mode": "standard"}),
        )

    def caller(self) -> tuple[str, str]:
        """The account, and who deploys.

        Raises:
            BotoCoreError, ClientError: nobody that AWS knows.
        """
        identity = self.client("sts", seconds=20).get_caller_identity()
        return identity["Account"], identity["Arn"]


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
    """What the environment says; AWS's own files are asked where it is silent.

    Raises:
        BotoCoreError: AWS_PROFILE names none.
    """
    endpoint = environ.get("AWS_ENDPOINT_URL") or None
    profile = environ.get("AWS_PROFILE") or None
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    here = endpoint is not None and is_loopback(endpoint)
    made_up = here and not environ.get("AWS_ACCESS_KEY_ID") and profile is None
    region = region or boto3.Session(profile_name=profile).region_name
    if here and not region:  # an emulator has them all
        region = boto3.Session().get_available_regions("lambda")[0]
    full = dict(environ)
    if region:
        full |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if made_up:
        full |= {"AWS_ACCESS_KEY_ID": MADE_UP, "AWS_SECRET_ACCESS_KEY": MADE_UP}
        full.pop("AWS_SESSION_TOKEN", None)
    return Cloud(full, endpoint, region, profile, made_up)
