"""Certificates that are made here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def make_pair(
    folder: Path,
    password: bytes = b"",
    names: Sequence[str] = ("localhost",),
    years: tuple[int, int] | None = None,
) -> Pair:
    """A certificate that signs itself, for these hosts and addresses.

    It holds for these years, from the first one's start to the other's, or else for three days.
    """
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    since, until = now - timedelta(days=1), now + timedelta(days=2)
    if years is not None:
        since, until = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return pair


def _general(name: str) -> x509.GeneralName:
    is_address = name.replace(".", "").isdigit()
    return x509.IPAddress(ip_address(name)) if is_address else x509.DNSName(name)
