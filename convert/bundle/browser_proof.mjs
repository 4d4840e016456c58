// Run by Node: answers requests, whose JSON is by name on standard input, by the folder whose
// onnxlet.js is named. Prints by name the JSON of the native answer, or the faults in words.
import { pathToFileURL } from "node:url";

const [, , script] = process.argv;
let text = "";
for await (const part of process.stdin) text += part;
const asked = JSON.parse(text), found = {};
const { open } = await import(pathToFileURL(script));
for (const [name, request] of Object.entries(asked)) {
  const { engine, proof } = await open([name]), faults = proof.flatMap((each) => each.faults);
  found[name] = { faults };
  if (faults.length) continue;
  engine.serve();
  const body = new TextEncoder().encode(request);
  const reply = engine.answer("POST", `/models/${name}/predict`, "", { "content-type": "application/json" }, body);
  const answer = new TextDecoder().decode(reply.body);
  if (reply.status === 200) found[name].answer = answer;
  else found[name].faults.push(JSON.parse(answer).detail);
}
process.stdout.write(JSON.stringify(found));
