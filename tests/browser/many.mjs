// Run by Node: starts the engine of a folder that `package --target browser` wrote, with the models
// whose tars lie in another folder. Prints what came of their golden rows, then for each request, a
// line of JSON on standard input, a line with its answer.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , site, tars, scratch] = process.argv, files = await readdir(join(site, "files"));
const script = async (name) => import(pathToFileURL(join(site, "files", files.find((each) => each.startsWith(`${name}-`)))));
const { default: release } = await script("release"), { unpacked } = await script("files"), { start } = await script("engine");
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const read = async (name) => {
  const packed = release.packed[name];
  return packed ? unpacked(await readFile(join(site, packed.path)), name) : new Response(await readFile(join(tars, name)));
};
for (const name of ["pyodide.asm.wasm", "python_stdlib.zip"]) {
  await writeFile(join(scratch, name), new Uint8Array(await (await read(name)).arrayBuffer()));
}

const engine = await start(read, await readdir(tars), scratch);
print(engine.prove());
engine.serve();
for await (const line of createInterface({ input: process.stdin })) {
  const { path, query, body } = JSON.parse(line);
  const found = engine.answer("POST", path, query, { "content-type": "application/json" }, Uint8Array.from(Buffer.from(body, "base64")));
  print({ status: found.status, body: new TextDecoder().decode(found.body) });
}
