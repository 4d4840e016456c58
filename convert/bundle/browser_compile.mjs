// Run by Node: has Pyodide compile Python by its own interpreter. Arguments are the folder with
// Pyodide's files, a folder with its standard library, and one with the function. Of the library
// that is compiled, and of the function, which usual requests import: all else is smaller as it is.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , pyodide, library, code] = process.argv;
const { loadPyodide } = await import(pathToFileURL(join(pyodide, "pyodide.mjs")));
const info = { abi_version: "2026_0", arch: "wasm32", platform: "emscripten", python: "3.14" };
// Sets of constants are written in the order of their hashes: with this seed always the same.
const python = await loadPyodide({ indexURL: pyodide, lockFileContents: { info, packages: {} }, env: { PYTHONHASHSEED: "0" } });
for (const [name, folder] of [["/library", library], ["/onnxlet", code]]) {
  python.FS.mkdirTree(name);
  python.mountNodeFS(name, folder);
}
python.runPython(`
import importlib
import os
import sys
from py_compile import PycInvalidationMode, compile

sys.dont_write_bytecode = True
sys.path.insert(0, "/onnxlet")
for name in ("onnxlet.edge.browser.app", "onnxlet.function.http.slim_flask", "onnxlet.function.csv.text"):
    importlib.import_module(name)
zipped = next(path for path in sys.path if path.endswith(".zip")) + "/"
for file in sorted({getattr(module, "__file__", None) or "" for module in sys.modules.values()}):
    is_library = file.startswith(zipped)
    if not is_library and not file.startswith("/onnxlet/"):
        continue
    source = "/library/" + file.removeprefix(zipped) if is_library else file
    made = source + "c" if is_library else importlib.util.cache_from_source(source)
    # Without docstrings, of which nothing here asks for one.
    compile(source, made, file, doraise=True, optimize=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    if is_library:
        os.remove(source)
`);
