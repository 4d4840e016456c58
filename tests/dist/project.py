"""A user's project: the files of its how-to page, and names of ours and of uv.

Whatever imports one of these ends with what it says here.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

[DOCUMENT] = (ROOT / "docs").rglob("own-project.md")
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
THEIRS = "raise SystemExit('a module of the user was run')\n"
TYPED = """
from onnxlet import build, converts, verify

built = build(None, [[1.0]], name="prices")
reveal_type(built.predict([[1.0]]))
reveal_type(verify("models/prices/1"))
reveal_type(converts)
build(None, [[1.0]])
"""
CELLS = (
    "from onnxlet import build\nfrom shop import prices\n"
    "model, X_test, y_test, X_train = prices.build()",
    "built = build(model, X_test, y_test, name='prices', models='of the notebook')",
    "built",
    "[float(value) for value in built.predict(X_test[:2]) - model.predict(X_test[:2])]",
    "build(model, X_test[:0], name='prices')",
)
# Over sockets of files: a kernel that is given ports by number finds one taken when other suites
# run beside it, and ends. Their names are short: the system takes no more than 107 characters.
RUN_NOTEBOOK = """
import json, sys, tempfile
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

notebook = new_notebook(cells=[new_code_cell(cell) for cell in json.load(sys.stdin)])
where = {"metadata": {"path": sys.argv[1]}}
with tempfile.TemporaryDirectory(dir="/tmp") as folder:
    kernel = AsyncKernelManager(transport="ipc", connection_file=f"{folder}/kernel.json")
    client = NotebookClient(notebook, kernel, timeout=120, allow_errors=True, resources=where)
    client.startup_timeout = 120
    client.execute()
print(json.dumps([cell["outputs"] for cell in notebook["cells"]]))
"""


def write(project: Path) -> None:
    """Write its files below a folder."""
    files = {
        "convert.py": THEIRS,
        "uv.py": THEIRS,
        "function/__init__.py": THEIRS,
        "edge/__init__.py": THEIRS,
        "shop/__init__.py": "",
        "typed.py": TYPED,
        **dict(FILE.findall(DOCUMENT.read_text())),
    }
    for name, content in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(content)
