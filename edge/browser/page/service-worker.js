// Answers the page's requests on this device. A release is installed once all of its files are
// here, with the right hashes, and its golden rows are answered; until then, and where that fails,
// the one before stays, by the browser's own rules for service workers.
import { start } from "./engine.js";
import { checked, unpacked } from "./files.js";
import release from "./release.js";

const SCOPE = new URL(self.registration.scope), CACHE = `onnxlet ${SCOPE.pathname}`;
const STATE = "state", NEXT = "next state"; // in the cache: `number`, `digest`, `proof`, `agent`
const HTML = "text/html; charset=utf-8";
// Into the page as it is on servers: what makes it an app, and the way to what was proven.
const LINKS = [["</title>", '</title>\n<link rel="manifest" href="manifest.webmanifest"><link rel="apple-touch-icon" href="icon-192.png">'], ['<a class="doc" id="document"', '<a class="doc" href="index.html">On this device</a>\n    $&']];

const address = (path) => new URL(path, SCOPE).href;
const cache = () => caches.open(CACHE);
const RELEASE = { path: release.path, sha256: "SHA-256 of release.js", bytes: 0, type: "text/javascript" };
const inAll = [RELEASE, ...Object.values(release.packed), ...Object.values(release.plain)];
const byPath = new Map(inAll.map((file) => [file.path, file]));
const OWN = /^(models|v\d)\//; // paths that are nobody else's

async function state(of = STATE) {
  const found = await (await cache()).match(address(of));
  return found ? found.json() : null;
}

async function setState(of, value) { await (await cache()).put(address(of), new Response(JSON.stringify(value))); }

async function tell(message) {
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage(message);
}

/** Where a file is kept: pages and their scripts have the same path in each release. */
const placeOf = ({ path, sha256 }) => `${address(path)}?${sha256}`;

/** A file's bytes: those that are here, else the server's, which are kept once their hash is right. */
async function bytesOf(file) {
  const { path, sha256, type } = file, here = await (await cache()).match(placeOf(file));
  if (here) return here.arrayBuffer();
  const bytes = await fetch(address(path), { cache: "no-cache" }).then((response) => checked(response, path, sha256)).catch((error) => {
    throw error instanceof TypeError ? new Error(`the file ${path} is not on this device, and the connection to the server failed`) : error;
  });
  await (await cache()).put(placeOf(file), new Response(bytes, { headers: { "Content-Type": type } }));
  return bytes;
}

const read = async (name) => unpacked(await bytesOf(release.packed[name]), name);

/** The engine with these models, once it has answered their golden rows, or did so here before. */
async function started(names, proof) {
  const made = await start(read, names.map((name) => release.models[name].file));
  const found = proof || made.prove();
  if (found.every(({ faults }) => faults.length)) throw new Error(`no model answers here as it did where it was packaged: ${found[0].faults[0]}`);
  made.serve();
  return { answer: made.answer, proof: found };
}

let engine = null; // a promise

/** Answer by an engine that is being started; where that fails the next request starts another. */
function use(starting) {
  engine = starting;
  starting.catch(() => { if (engine === starting) engine = null; });
  return starting;
}

/** The engine, started where there is none. */
function running() {
  return engine || use((async () => {
    const known = await state(), same = known?.agent === navigator.userAgent && known.digest === release.digest;
    const wrong = new Set(same ? known.proof.filter(({ faults }) => faults.length).map(({ name }) => name) : []);
    const found = await started(Object.keys(release.models).filter((name) => !wrong.has(name)), same ? known.proof : null);
    if (!same) await setState(STATE, { ...about(), proof: found.proof }); // another browser than the one that has proven it, or one that was closed as this release began
    return found;
  })());
}

const about = () => ({ number: release.number, digest: release.digest, agent: navigator.userAgent });

async function install() {
  await bytesOf(RELEASE); // what says of all else what it has to be
  const before = await state();
  if (before && before.digest !== release.digest && before.number >= release.number) {
    throw new Error(`the folder has release ${release.number}, and ${before.number} is in use here: only a higher number is taken`);
  }
  let done = 0;
  const total = inAll.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const file of inAll) {
    await bytesOf(file);
    done += file.bytes;
    await tell({ progress: { done, total } });
  }
  const found = started(Object.keys(release.models));
  const { proof } = await found, wrong = proof.filter(({ faults }) => faults.length);
  if (wrong.length && before) throw new Error(`release ${release.number}: ${wrong[0].name} answers otherwise here: ${wrong[0].faults[0]}`);
  engine = found;
  await setState(NEXT, { ...about(), proof });
  await self.skipWaiting();
}

async function activate() {
  const next = await state(NEXT), store = await cache();
  if (next && next.digest === release.digest) await setState(STATE, next);
  const kept = new Set([address(STATE), ...inAll.map(placeOf)]);
  for (const each of await store.keys()) if (!kept.has(each.url)) await store.delete(each);
  await self.clients.claim();
}

/** Why something fails, for people: what it was, and what is there all the same. */
async function failed(error) {
  const known = await state().catch(() => null);
  const full = error.name === "QuotaExceededError" ? `there is no room for it on this device (${Math.ceil(inAll.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6)} MB)` : error.message;
  return { failed: full, kept: known && known.number !== release.number ? known.number : null };
}

self.addEventListener("install", (event) => event.waitUntil(install().catch(async (error) => {
  await tell(await failed(error));
  throw error;
})));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

/** What a page asks of this worker: what is served here, or that the golden rows be answered again. */
self.addEventListener("message", (event) => event.waitUntil((async () => {
  const [port] = event.ports;
  try {
    if (event.data === "prove") {
      await setState(STATE, { ...about(), agent: "", proof: [] }); // what was found before holds no more
      await setState(STATE, { ...about(), proof: (await use(started(Object.keys(release.models)))).proof });
    }
    const { proof } = await running();
    port.postMessage({ number: release.number, proof });
  } catch (error) {
    port.postMessage(await failed(error));
  }
})()));

/** What the engine answers; one that fails may have ended, and the next request starts another. */
function asked({ answer: answered }, request, path, body) {
  let found;
  try {
    found = answered(request.method, `/${path}`, new URL(request.url).search.slice(1), { ...Object.fromEntries(request.headers), host: SCOPE.host }, body);
  } finally {
    if (!found || found.status === 500) engine = null;
  }
  return found;
}

async function answer(request, path) {
  const file = byPath.get(path);
  if (file) return new Response(await bytesOf(file), { headers: { "Content-Type": file.type } });
  const found = asked(await running(), request, path, new Uint8Array(await request.arrayBuffer()));
  if (found.status === 404 && request.method === "GET" && !OWN.test(path)) { // a licence, or of another site in a folder below
    const other = await fetch(request).catch(() => found);
    if (other.status !== 404) return other;
  }
  const given = new Headers(found.headers);
  if (given.get("Content-Type") !== HTML || path) return new Response(bodyOf(found), { status: found.status, headers: given });
  given.set("Content-Security-Policy", given.get("Content-Security-Policy").replace("img-src", "manifest-src 'self'; img-src 'self'"));
  given.delete("Content-Length");
  return new Response(LINKS.reduce((page, [text, more]) => page.replace(text, more), new TextDecoder().decode(found.body)), { headers: given });
}

const bodyOf = ({ status, body }) => ([204, 304].includes(status) ? null : body);

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const path = url.pathname.slice(SCOPE.pathname.length);
  event.respondWith(answer(event.request, path).catch(async (error) => {
    const { failed: detail } = await failed(error);
    if (event.request.mode === "navigate") return url.href.startsWith(address("index.html")) ? new Response(`${detail}.`, { status: 503 }) : Response.redirect(address("index.html"));
    const problem = { type: "about:blank", title: "Service Unavailable", status: 503, detail };
    return new Response(JSON.stringify(problem), { status: 503, headers: { "Content-Type": "application/problem+json" } });
  }));
});
