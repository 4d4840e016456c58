"""Runs in the machine: asks the service until it answers, and shows the answer."""

from __future__ import annotations

import json
import sys
import time
import urllib.request

URL = "http://127.0.0.1:8080/models/iris/predict"
BODY = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
PAUSE_SECONDS = 0.5


def ask(seconds: float) -> str:
    """An answer as it came.

    Args:
        seconds: that it may take; emulated, a service takes many times as long to start.

    Raises:
        OSError: there was none.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            request = urllib.request.Request(URL, BODY, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    print(ask(float(sys.argv[1])))
