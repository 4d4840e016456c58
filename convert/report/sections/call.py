"""How to call the model: the same request as curl and as Python, to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from onnxlet.convert.report.wording import UNSEEN

ADDRESS = "http://127.0.0.1:8080"  # of `onnxlet serve`


def curl(call: Mapping[str, Any]) -> str:
    """A command for a shell.

    Args:
        call: `path`, and `row`, an object by column name.
    """
    cells = [f"{_json(name)}: {_json(value)}" for name, value in call["row"].items()]
    body = '{"instances": [{\n  ' + ",\n  ".join(cells) + "\n}]}"
    return "\n".join(
        [
            f"curl -s {shlex.quote(ADDRESS + call['path'])} \\",
            "  -H 'Content-Type: application/json' \\",
            f"  -d {shlex.quote(body)}",
        ]
    )


def python(call: Mapping[str, Any]) -> str:
    """A script that needs nothing but Python."""
    cells = [f"    {name!r}: {value!r}," for name, value in call["row"].items()]
    return "\n".join(
        [
            "import json",
            "import urllib.request",
            "",
            "row = {",
            *cells,
            "}",
            "request = urllib.request.Request(",
            f"    {ADDRESS + call['path']!r},",
            '    json.dumps({"instances": [row]}).encode(),',
            '    {"Content-Type": "application/json"},',
            ")",
            "print(urllib.request.urlopen(request).read().decode())",
        ]
    )


def _json(value: Any) -> str:
    """JSON; escaped where a character can't be seen or encoded."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if UNSEEN.search(text) else text
