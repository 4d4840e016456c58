"""Whose certificates are believed, by clients whose machine may not know what day it is.

A certificate's dates are held against the clock, unless the clock was never set: such a device
could reach nobody, for ever.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from onnxlet.edge.device.checks import EPOCH

NO_DATES = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
OF_DATES = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED


def make_context(ca: Path | None) -> ssl.SSLContext:
    """What checks a server's certificate and its name.

    Args:
        ca: certificates that it is signed by; None means the system's.

    Raises:
        OSError: they can't be read.
    """
    context = ssl.create_default_context(cafile=ca)
    heed_the_clock(context)
    return context


def heed_the_clock(context: ssl.SSLContext) -> None:
    """Check dates from now on, or don't: the clock may have been set meanwhile."""
    if time.gmtime().tm_year < EPOCH:
        context.verify_flags |= NO_DATES
    else:
        context.verify_flags &= ~NO_DATES


def words_of(error: Exception) -> str:
    """What is wrong; where it is a date, with today's as this machine has it."""
    told = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in OF_DATES:
        told += f"; this machine's clock says {time.strftime('%Y-%m-%d', time.gmtime())}"
    return told
