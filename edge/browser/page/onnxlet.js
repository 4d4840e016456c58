// The models of a folder that `onnxlet package --target browser` wrote, in any page or in Node.
import { start } from "./engine.js";
import { checked, unpacked } from "./files.js";
import release from "./release.js";

const IN_NODE = typeof process === "object" && Boolean(process.versions?.node);

/** A request was refused: `status` is HTTP's, `problem` has what is wrong, and where. */
export class Refused extends Error {
  constructor(status, problem) { super(problem.detail); Object.assign(this, { name: "Refused", status, problem }); }
}

/** A file by its name, unpacked, once its hash is right. */
async function read(name) {
  const { path, sha256 } = release.packed[name], url = new URL(path, import.meta.url);
  const response = IN_NODE ? new Response(await (await import("node:fs/promises")).readFile(url)) : await fetch(url);
  return unpacked(await checked(response, path, sha256), name);
}

/** Where Node has Python's files: unpacked, for this release, in the folder for such files. */
async function unpackedInNode() {
  const { mkdtemp, writeFile } = await import("node:fs/promises"), { tmpdir } = await import("node:os"), { join } = await import("node:path");
  const folder = await mkdtemp(join(tmpdir(), "onnxlet-"));
  for (const name of ["pyodide.asm.wasm", "python_stdlib.zip"]) await writeFile(join(folder, name), new Uint8Array(await (await read(name)).arrayBuffer()));
  return folder;
}

/** Starts the function with these models, and answers their golden rows. */
export async function open(models) {
  const folder = IN_NODE ? await unpackedInNode() : undefined;
  try {
    const engine = await start(read, models.map((name) => release.models[name].file), folder);
    return { engine, proof: engine.prove() };
  } finally {
    if (folder) await (await import("node:fs/promises")).rm(folder, { recursive: true });
  }
}

/**
 * A model of this folder, by its name or by `models/NAME`. Its golden rows are answered first;
 * where one answer differs it is refused.
 */
export async function load(model) {
  const name = model.replace(/^models\//, "");
  if (!Object.hasOwn(release.models, name)) throw new Error(`no model '${name}': there are ${Object.keys(release.models).join(", ")}`);
  const { engine, proof } = await open([name]);
  const faults = proof.flatMap((each) => each.faults);
  if (faults.length) throw new Error(`model ${name} answers otherwise here: ${faults[0]}`);
  engine.serve();
  const ask = (method, path, content) => {
    const body = new TextEncoder().encode(content === undefined ? "" : JSON.stringify(content));
    const found = engine.answer(method, path, "", { "content-type": "application/json" }, body);
    const answer = JSON.parse(new TextDecoder().decode(found.body));
    if (found.status !== 200) throw new Refused(found.status, answer);
    return answer;
  };
  const described = ask("GET", `/models/${name}`);
  return {
    name, version: described.version, signature: described.signature, rows: proof.reduce((sum, each) => sum + each.rows, 0),
    /** The native answer to rows: objects by column name, or lists in signature order. */
    predict: async (instances) => ask("POST", `/models/${name}/predict`, { instances }),
  };
}
