"""Lock requirements/*.in with hashes: `make lock`.

One resolution serves every Python and platform, and the later files take the versions of the
earlier ones, so that what was tested is what is deployed.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
FILES = (
    "function",
    "images",
    "edge",
    "run",
    "convert",
    "engines",
    "dev",
    "test-run",
    "libraries",
    "train",
    "browser",
    "schemathesis",
    "shap",
    "harvest",
)  # each takes the versions of those before it
CLOUD = ("deploy", "emulator")  # constrained by the function's only: botocore and pandas conflict
NO_DEPENDENCIES = ("lambda_runtime/emulator",)  # only files are taken out of it
# Not constrained by the others: their scikit-learn or NumPy is older, or they need neither.
UNCONSTRAINED = ("oldest", "dist", "docs", "release")


def lock(name: str, before: tuple[str, ...]) -> None:
    """Write NAME.txt from NAME.in."""
    command = [sys.executable, "-m", "uv", "pip", "compile", f"{name}.in", "--quiet", "--upgrade"]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links"]
    command += ["--custom-compile-command", "make lock", "--output-file", f"{name}.txt"]
    if name in NO_DEPENDENCIES:
        command += ["--no-deps"]
    for earlier in before:
        command += ["--constraint", f"{earlier}.txt"]
    subprocess.run(command, cwd=FOLDER, check=True)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    for index, file in enumerate(FILES):
        lock(file, FILES[:index])
    for file in CLOUD:
        lock(file, ("function",))
    for file in UNCONSTRAINED:
        lock(file, ())
    # Nothing of ours is beside these.
    for folder in ("clients", "bench", "references", "lambda_runtime"):
        for other in sorted((FOLDER / folder).glob("*.in")):
            lock(f"{folder}/{other.stem}", ())
