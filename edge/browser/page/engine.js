// Python with the function in it, and ONNX Runtime: started once, then asked request by request.
// A service worker may not import later on: all of it is named here.
import { loadPyodide } from "./pyodide.mjs";
import createPython from "./pyodide.asm.mjs";
import { createHost } from "./runtime.js";

const FOLDER = "/onnxlet", MODELS = "/models"; // in the memory that is Python's file system
const NO_PACKAGES = { info: { abi_version: "2026_0", arch: "wasm32", platform: "emscripten", python: "3.14" }, packages: {} };
const BLOCK = 512; // bytes of a tar's parts

/** The files of a tar, as Python's `tarfile` writes plain ones: paths and bytes. */
function* filesOf(tar) {
  const text = (from, to) => new TextDecoder().decode(tar.subarray(from, to)).split("\0", 1)[0];
  for (let at = 0; tar[at]; ) {
    const size = parseInt(text(at + 124, at + 136), 8), start = at + BLOCK;
    const folder = text(at + 345, at + 500);
    yield [folder ? `${folder}/${text(at, at + 100)}` : text(at, at + 100), tar.subarray(start, start + size)];
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}

/** Python as Pyodide starts it, which fetches its files by their names: here they lie packed. */
async function startPython(read, folder) {
  const base = folder || new URL("python/", import.meta.url).href, { fetch } = globalThis;
  const options = { indexURL: base, createPyodideModule: createPython, lockFileContents: NO_PACKAGES, env: { HOME: "/" } };
  if (folder) return loadPyodide(options); // Node has them unpacked
  globalThis.fetch = (url, ...more) => (String(url).startsWith(base) ? read(String(url).slice(base.length)) : fetch(url, ...more));
  try { return await loadPyodide(options); } finally { globalThis.fetch = fetch; }
}

/**
 * Starts the function. `read` gives a file's response by its name; `models` are names of tars, each
 * of one model; `folder` is where Node has Python's files.
 */
export async function start(read, models, folder) {
  const bytes = async (name) => new Uint8Array(await (await read(name)).arrayBuffer());
  const [host, python, code, ...tars] = await Promise.all([
    WebAssembly.compileStreaming(read("ort-wasm-simd-threaded.wasm")).then(createHost),
    startPython(read, folder), bytes("function.tar"), ...models.map(bytes),
  ]);
  const put = (below, tar) => {
    for (const [path, content] of filesOf(tar)) {
      const whole = `${below}/${path}`;
      python.FS.mkdirTree(whole.slice(0, whole.lastIndexOf("/")));
      python.FS.writeFile(whole, content);
    }
  };
  put(FOLDER, code);
  tars.forEach((tar) => put(MODELS, tar));
  python.runPython(`import sys; sys.path.insert(0, "${FOLDER}"); sys.dont_write_bytecode = True`);
  const app = python.pyimport("onnxlet.edge.browser.app");
  app.begin(host);
  return {
    /** What came of each model's golden rows; one that answers otherwise is gone. */
    prove: () => JSON.parse(app.prove()),
    serve: () => app.serve(),
    /** A response's status, headers and body. */
    answer(method, path, query, headers, body) {
      const given = python.toPy(headers), sent = python.toPy(body), found = app.answer(method, path, query, given, sent);
      const [status, pairs, content] = found.toJs();
      for (const each of [given, sent, found]) each.destroy?.();
      return { status, headers: JSON.parse(pairs), body: content };
    },
  };
}
