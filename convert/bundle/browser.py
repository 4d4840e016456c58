"""`convert package --target browser`: a folder that any web server serves, and browsers run.

Its big files lie packed and are named by their hashes, so that a release that is put in the place
of another never mixes with it. What is published with the models is no more than servers answer:
manifests without what only they use, and made-up rows instead of the golden ones.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxlet.convert.bundle import contents
from onnxlet.convert.bundle.archive import TIME
from onnxlet.convert.bundle.bill import bill_of_materials, npm_package, packages_of, served_model
from onnxlet.convert.bundle.browser_models import PublicModel, public_model, typed_module
from onnxlet.convert.bundle.contents import BROWSER, Chosen
from onnxlet.convert.bundle.npm import NODE, NpmPackage, check_node, command, fetched
from onnxlet.convert.bundle.package import Order, Share, check
from onnxlet.convert.bundle.parts import MEGABYTE
from onnxlet.convert.directory.durable import whole
from onnxlet.convert.directory.model_directory import sha256
from onnxlet.convert.errors import PackagingFailed
from onnxlet.convert.progress import Report
from onnxlet.function import json_text
from onnxlet.function.errors import WrongUse
from onnxlet.function.model_files import read_file
from onnxlet.function.serving.golden import compare

NPM = (
    NpmPackage(
        "pyodide",
        "314.0.8",
        "sha512-74Wq1kXOC+CCEzAfxuRAO701nAcCMLjf8NrwvWpu8S41dVMXwXmLQ05dYB+F4e46AdnGo0oq7YHSVUpHsoarLQ==",
        "MPL-2.0",
        ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"),
    ),
    NpmPackage(
        "onnxruntime-web",
        "1.30.0",
        "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
        "MIT",
        ("dist/ort-wasm-simd-threaded.mjs", "dist/ort-wasm-simd-threaded.wasm"),
    ),
)
# Of function.txt, what is there; of MarkupSafe, its part in Python.
PACKAGES = ("flask", "werkzeug", "markupsafe", "blinker")
BESIDE = ("__init__.py", "environment.py", "folders.py", "edge/__init__.py")
ORJSON = "orjson.py"  # which stands for the package of that name
COMPILE, PROOF = (Path(__file__).with_name(f"browser_{name}.mjs") for name in ("compile", "proof"))
LIBRARY = "python_stdlib.zip"
LEVEL = 9
SHORT = 16  # characters of a hash in a name
TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript",
    ".svg": "image/svg+xml", ".png": "image/png", ".ts": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json", ".pack": "application/octet-stream",
}  # fmt: skip
# Each after those that it imports.
SCRIPTS = (
    "pyodide.asm.mjs", "pyodide.mjs", "ort-wasm-simd-threaded.mjs", "files.js", "runtime.js",
    "engine.js",
)  # fmt: skip
ICONS = {"icon.svg": "any", "icon-192.png": "192x192", "icon-512.png": "512x512"}
PLAIN = ("index.html", "device.css", "device.js", *ICONS)
IMPORT = re.compile(r'(?<=from ")\./([\w.-]+)(?=")')
# What is cut out of npm's scripts: the name of a file that is not here; and where ONNX Runtime's
# threads begin in Node, which has an `await` that service workers may not have.
CUT = re.compile(
    r"//# sourceMappingURL=.*\n?|"
    r'if\(isNode\)isPthread=\(await import\("worker_threads"\)\)\.workerData==="em-pthread";'
)
NUMBER = re.compile(r'"number":(\d+)')  # in the script of a release
RELEASE = "release.js"
WORKER = "service-worker.js"
HASHED = re.compile(rf"-[0-9a-f]{{{SHORT}}}\.\w+$")
APP = {
    "start_url": "./", "scope": "./", "display": "standalone", "background_color": "#f6f8f7",
    "theme_color": "#0b6b66",
    "icons": [{"src": name, "sizes": sizes} for name, sizes in ICONS.items()],
}  # fmt: skip


def write_browser(order: Order, report: Report) -> list[str]:
    """Write the folder once its golden rows are answered; what is said of it.

    Raises WrongUse where another folder is there; PackagingFailed where packages can't be had, or
    models do not answer their golden rows there, with the reasons.
    """
    if any(each.remote for each in order.models):
        raise WrongUse("--remote: a folder for browsers has its graphs itself", "Leave it out.")
    number = _number(order)
    check_node()
    order.out.parent.mkdir(parents=True, exist_ok=True)
    report("fetching Pyodide and ONNX Runtime's build for the web, by npm")
    of_npm = {name: content for each in NPM for name, content in fetched(each).items()}
    with tempfile.TemporaryDirectory(prefix="onnxlet-browser-") as scratch:
        files = dict[str, bytes]()  # of the folder, by their paths
        report("installing the packages of requirements/function.txt")
        root = Path(scratch, "function")
        packages = Path(scratch, "packages")
        files |= place_function(order, root, packages)
        report("compiling, by Pyodide")
        of_npm[LIBRARY] = compiled(of_npm, root, Path(scratch, "pyodide"))
        big = {"function.tar": tar_of({each: (root / each).read_bytes() for each in below(root)})}
        big |= {name: each for name, each in of_npm.items() if not name.endswith(".mjs")}
        public = [public_model(each) for each in order.models]
        big |= {_tar_of(each): tar_of(each.files) for each in public}
        release: dict[str, Any] = {
            "packed": {name: _placed_packed(files, name, each) for name, each in big.items()},
            "models": {m.name: {"version": m.version, "file": _tar_of(m)} for m in public},
        }
        shares = [Share(n, len(big[n]), each["bytes"]) for n, each in release["packed"].items()]
        shares.sort(key=lambda each: -each.unpacked)
        check(shares, sum(each.zipped for each in shares), order.budget)
        graphs = [served_model(each.name, each.version, each.sha256) for each in order.models]
        listed = [*map(npm_package, NPM), *packages_of(packages, PACKAGES), *graphs]
        files["licences/bom.json"] = bill_of_materials("browser", listed)
        files["manifest.webmanifest"] = json_text.dumps(APP | {"name": order.name})
        files["onnxlet.d.ts"] = typed_module(public).encode()
        place_scripts(files, of_npm, number, release)
        folder = Path(scratch, "site")
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        report("answering the golden rows by these very files, in Node")
        lines = prove(folder, order.models)
        _place(folder, order.out)
    return [*lines, *_said(files, release, order.out)]


def place_scripts(
    files: dict[str, bytes], of_npm: Mapping[str, bytes], number: int, release: dict[str, Any]
) -> None:
    """Place the pages, and the scripts: each names others by their hashes, the release all files.

    The release, which has the packed files and the models, is completed.
    """
    for name in PLAIN:
        files[name] = (BROWSER / "page" / name).read_bytes()
    scripts = dict[str, str]()  # by the names that sources have for them, their paths
    for name in SCRIPTS:
        text = of_npm[name].decode() if name in of_npm else _page(name)
        _place_script(files, scripts, name, CUT.sub("", text))
    hashes = {path: sha256(files[path]) for path in files}
    digest = sha256(json_text.dumps([number, release, hashes]))
    scripts[RELEASE] = f"files/release-{digest[:SHORT]}.js"
    files["onnxlet.js"] = _linked(_page("onnxlet.js"), scripts, "./").encode()
    plain = {
        path: _about(path, content)
        for path, content in files.items()
        if not path.endswith(".pack") and not path.startswith("licences/")
    }
    release |= {"number": number, "digest": digest, "path": scripts[RELEASE], "plain": plain}
    files[scripts[RELEASE]] = b"export default " + json_text.dumps(release) + b";\n"
    worker = _linked(_page(WORKER), scripts, "./")
    files[WORKER] = worker.replace(
        f"SHA-256 of {RELEASE}", sha256(files[scripts[RELEASE]])
    ).encode()
    files["package.json"] = json_text.dumps({"type": "module"})  # for Node.js


def _number(order: Order) -> int:
    """The number of a release: as is asked for, else the next one."""
    out = order.out
    texts = [file.read_text() for file in out.glob("files/release-*.js")]
    known = [int(found[1]) for text in texts if (found := NUMBER.search(text))]
    if not known:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise WrongUse(
                f"--out: '{out}' is there, and no folder that this has written",
                "Name a new or an empty one.",
            )
        return order.release or 1
    before = max(known)
    if order.release is not None and order.release <= before:
        raise WrongUse(
            f"--release: '{out}' has release {before} already, got {order.release}",
            "Browsers take only higher ones: leave it out, and it is the next one.",
        )
    return order.release or before + 1


def place_function(order: Order, root: Path, packages: Path) -> dict[str, bytes]:
    """Put the function below a folder, with what it needs of packages, which go to another.

    Returns the licences of all that the site has, by their paths there.
    """
    for path in contents.place_packages(order.machine, packages, ["function.txt"]):
        if path.partition("/")[0] in PACKAGES and path.endswith((".py", ".json")):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packages / path, root / path)
    contents.place_code("function", root, BESIDE)
    for path in contents.place_code("edge/browser", root):
        if not path.endswith(".py"):
            (root / path).unlink()
    shutil.copyfile(BROWSER / ORJSON, root / ORJSON)
    texts = sorted((BROWSER / "licences").iterdir())
    found = {f"licences/{each.name}": each.read_bytes() for each in texts}
    for path in contents.place_licences(root):
        found[f"licences/{Path(path).name}"] = (root / path).read_bytes()
    for name in ("LICENSE", "ThirdPartyNotices.txt"):
        found[f"licences/onnxruntime/{name}"] = (packages / "onnxruntime" / name).read_bytes()
    for name in PACKAGES:
        for file in sorted(packages.glob(f"{name}-*.dist-info/**/LICENSE*")):
            found[f"licences/{name}/{file.name}"] = file.read_bytes()
    return found


def compiled(of_npm: Mapping[str, bytes], root: Path, scratch: Path) -> bytes:
    """Compile the function in its folder; returns Python's library, compiled as far as is usual."""
    library = scratch / "library"
    library.mkdir(parents=True)
    for name, content in of_npm.items():
        (scratch / name).write_bytes(content)
    with zipfile.ZipFile(scratch / LIBRARY) as archive:
        archive.extractall(library)  # noqa: S202 - of a package whose hash is known
    node(COMPILE, scratch, library, root)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:  # packed as a whole later
        for path in below(library):
            archive.writestr(zipfile.ZipInfo(path, TIME), (library / path).read_bytes())
    return made.getvalue()


def below(folder: Path) -> list[str]:
    """The paths of the files below a folder, sorted."""
    files = (each for each in folder.rglob("*") if each.is_file())
    return sorted(each.relative_to(folder).as_posix() for each in files)


def node(script: Path, *arguments: Path, given: str = "") -> str:
    """What a script of Node's prints; PackagingFailed where it fails."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [command("node"), str(script), *(str(each.resolve()) for each in arguments)],
        input=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip()[-1000:]
        raise PackagingFailed(f"node can't run {script.name}: {said}", NODE)
    return done.stdout


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A plain tar of files; the same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            archive.addfile(entry, io.BytesIO(files[path]))
    return buffer.getvalue()


def _tar_of(model: PublicModel) -> str:
    return f"{model.name}-{model.version}.tar"


def _page(name: str) -> str:
    return (BROWSER / "page" / name).read_text()


def _about(path: str, content: bytes) -> dict[str, Any]:
    """How the release has a file."""
    kind = TYPES[Path(path).suffix]
    return {"path": path, "sha256": sha256(content), "bytes": len(content), "type": kind}


def _placed_packed(files: dict[str, bytes], name: str, content: bytes) -> dict[str, Any]:
    """Place a file packed by gzip, under a name that no server takes for an encoded file."""
    packed = gzip.compress(content, LEVEL, mtime=0)
    path = f"files/{name}-{sha256(packed)[:SHORT]}.pack"
    files[path] = packed
    return _about(path, packed)


def _place_script(files: dict[str, bytes], scripts: dict[str, str], name: str, text: str) -> None:
    """Place a script below `files/`, named by its hash, as are those that it imports.

    All end in `.js`: some servers, nginx among them, know no other scripts.
    """
    content = _linked(text, scripts, "../").encode()
    scripts[name] = f"files/{Path(name).stem}-{sha256(content)[:SHORT]}.js"
    files[scripts[name]] = content


def _linked(text: str, scripts: Mapping[str, str], up: str) -> str:
    return IMPORT.sub(lambda found: up + scripts[found[1]], text)


def prove(folder: Path, models: Sequence[Chosen]) -> list[str]:
    """Answer golden rows, which do not go into the folder, by its files; what is said of it.

    PackagingFailed has each model that does not answer there, or otherwise, and why.
    """
    golden = {
        model.name: json_text.loads(read_file(model.directory, "golden.json")) for model in models
    }
    # As texts: JavaScript has no whole numbers beyond 2**53.
    asked = {name: json.dumps({"instances": each["instances"]}) for name, each in golden.items()}
    answers = json.loads(node(PROOF, folder / "onnxlet.js", given=json.dumps(asked)))
    faults, rows = [], 0
    for name, answered in answers.items():
        found = answered["faults"] or compare(json.loads(answered["answer"]), golden[name])
        faults += [f"{name}: {found[0]}"] if found else []
        rows += len(golden[name]["instances"])
    if faults:
        good = [name for name in golden if not any(f.startswith(f"{name}: ") for f in faults)]
        others = " ".join(f"--model {name}" for name in good)
        reasons = "; ".join(faults)
        raise PackagingFailed(reasons, f"Package the others: {others}." if good else "")
    return [f"{rows} golden rows answered in Node, which runs the same code; models: {len(models)}"]


def _place(folder: Path, out: Path) -> None:
    """Put a release where the one before may be; what others have there, such as `.git`, stays.

    The worker comes last: until then browsers find the release before.
    """
    paths = sorted(below(folder), key=lambda path: (not path.startswith("files/"), path == WORKER))
    for path in paths:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        with whole(out / path) as part:
            shutil.copyfile(folder / path, part)
    for file in out.glob("files/*"):
        if HASHED.search(file.name) and f"files/{file.name}" not in paths:
            file.unlink()


def _said(files: Mapping[str, bytes], release: Mapping[str, Any], out: Path) -> list[str]:
    first = {path: len(each) for path, each in files.items() if not path.startswith("licences/")}
    of_models = sum(release["packed"][each["file"]]["bytes"] for each in release["models"].values())
    total = sum(first.values()) / MEGABYTE
    return [
        f"first visit: {total:.1f} MB, {of_models / MEGABYTE:.1f} of it models",
        f"{out}: release {release['number']}; whoever can open its address can read its graphs",
        f"to try it: python3 -m http.server --directory {shlex.quote(str(out))}, "
        "then http://localhost:8000/",
    ]
