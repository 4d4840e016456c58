"""Checking servers' certificates on a machine that may not know the date.

A certificate's dates are compared with the clock unless the clock was never set: such a device
could never connect to anything.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from onnxlet.edge.device.checks import EPOCH

NO_DATES = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
DATE_ERRORS = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED


def make_context(ca: Path | None) -> ssl.SSLContext:
    """A client's TLS context, which checks a server's certificate and name.

    None means the system's CA certificates; OSError is raised where they can't be read.
    """
    context = ssl.create_default_context(cafile=ca)
    set_date_checks(context)
    return context


def unchecked_context() -> ssl.SSLContext:
    """A client's TLS context that checks no certificate: the server is on this machine."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def set_date_checks(context: ssl.SSLContext) -> None:
    """Switch the check of dates on or off; before each connection, since the clock may be set."""
    if time.gmtime().tm_year < EPOCH:
        context.verify_flags |= NO_DATES
    else:
        context.verify_flags &= ~NO_DATES


def describe_error(error: Exception) -> str:
    """What went wrong; if it is a certificate's date, with this machine's own date."""
    text = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in DATE_ERRORS:
        text += f"; this machine's clock says {time.strftime('%Y-%m-%d', time.gmtime())}"
    return text
