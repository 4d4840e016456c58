// Visits an address by Firefox, which speaks WebDriver BiDi itself: no driver is needed. Asks for
// predictions, then, once a line comes on standard input, again: the server may be gone by then.
// Arguments are the address, a folder for the profile, a model and rows in JSON.
import { spawn } from "node:child_process";
import { once } from "node:events";

const [, , address, profile, model, instances] = process.argv;
const arguments_ = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
const firefox = spawn("firefox-esr", arguments_, { stdio: ["ignore", "ignore", "pipe"] });
let socket;
for await (const said of firefox.stderr) {
  const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said);
  if (found) { socket = new WebSocket(`${found[1]}/session`); break; }
}
await once(socket, "open");

const waiting = new Map();
socket.onmessage = ({ data }) => {
  const { id, type, result, message } = JSON.parse(data);
  if (waiting.has(id)) waiting.get(id)(type === "error" ? { message } : { result });
};
async function send(method, params = {}) {
  const id = waiting.size, found = new Promise((take) => { waiting.set(id, take); });
  socket.send(JSON.stringify({ id, method, params }));
  const { result, message } = await found;
  if (message) throw new Error(`${method}: ${message}`);
  return result;
}

await send("session.new", { capabilities: {} });
const [{ context }] = (await send("browsingContext.getTree")).contexts;
const go = (url) => send("browsingContext.navigate", { context, url, wait: "complete" });
async function evaluate(expression) {
  const { result, exceptionDetails } = await send("script.evaluate", { expression, target: { context }, awaitPromise: true });
  if (exceptionDetails) throw new Error(exceptionDetails.text);
  return result.value;
}
const PROVEN = "new Promise((take) => { const look = () => (document.getElementById('open').hidden && !document.querySelector('.wrong') ? requestAnimationFrame(look) : take(document.getElementById('said').textContent)); look(); })";
const ASK = `fetch("models/${model}/predict", { method: "POST", headers: { "Content-Type": "application/json" }, body: ${JSON.stringify(`{"instances":${instances}}`)} }).then((response) => response.text())`;

await go(`${address}index.html`);
const said = await evaluate(PROVEN);
await go(address);
const first = JSON.parse(await evaluate(ASK));
process.stdout.write("visited\n");
await once(process.stdin, "data");
await go(address);
const later = JSON.parse(await evaluate(ASK));
process.stdout.write(`${JSON.stringify({ said, first, later })}\n`);
firefox.kill();
process.exit(0);
