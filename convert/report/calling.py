"""How to call the model: the same request as curl and as Python, to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pprint import pformat
from typing import Any

from onnxlet.convert.report.wording import UNSEEN

ADDRESS = "http://127.0.0.1:8080"  # of `onnxlet serve`


def curl(call: Mapping[str, Any]) -> str:
    """A command for a shell.

    Args:
        call: `path`, and `row`, an object by column name.
    """
    body = _json({"instances": [call["row"]]})
    return "\n".join(
        [
            f"curl -s {shlex.quote(ADDRESS + call['path'])} \\",
            "  -H 'Content-Type: application/json' \\",
            f"  -d {shlex.quote(body)}",
        ]
    )


def python(call: Mapping[str, Any]) -> str:
    """A script that needs nothing but Python."""
    row = pformat(call["row"], sort_dicts=False, width=76)
    return "\n".join(
        [
            "import json",
            "import urllib.request",
            "",
            f"row = {row}",
            "request = urllib.request.Request(",
            f"    {ADDRESS + call['path']!r},",
            '    json.dumps({"instances": [row]}).encode(),',
            '    {"Content-Type": "application/json"},',
            ")",
            "print(urllib.request.urlopen(request).read().decode())",
        ]
    )


def _json(value: Any) -> str:
    """JSON, a column a line; escaped where a character can't be seen or encoded."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if UNSEEN.search(text.replace("\n", "")):
        return json.dumps(value, indent=1)
    return text
