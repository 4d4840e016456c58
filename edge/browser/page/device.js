// What is on this device: brings it here at the first visit, and shows what was proven.
const byId = (id) => document.getElementById(id);
const first = !navigator.serviceWorker?.controller;
let served = null; // the number of the release that answers here

function say(text, wrong = false) {
  byId("said").textContent = text;
  byId("said").className = wrong ? "wrong" : "";
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;

function show({ number, proof }) {
  const wrong = proof.filter(({ faults }) => faults.length), rows = proof.reduce((sum, each) => sum + each.rows, 0);
  served = number;
  byId("progress").hidden = true;
  byId("proof").hidden = false;
  byId("proof").tBodies[0].replaceChildren(...proof.map((each) => {
    const line = document.createElement("tr"), found = each.faults.length ? `answers otherwise here, and is not served: ${each.faults[0]}` : "✓ equal";
    for (const text of [each.name, each.version, each.rows, found]) line.insertCell().textContent = text;
    line.className = each.faults.length ? "wrong" : "";
    return line;
  }));
  say(wrong.length ? `Release ${number}: ${wrong.length} of ${proof.length} models answer otherwise in this browser.` : `Release ${number}: all ${rows} rows are answered as where the models were packaged.`, wrong.length > 0);
  for (const id of ["open", "again", "update"]) byId(id).hidden = false;
  byId("open").href = `./${location.hash}`; // of the model that a link names
}

/** What the worker replies to a message. */
function ask(worker, what) {
  return new Promise((take) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => take(data);
    worker.postMessage(what, [port2]);
  });
}

function showFailure({ failed, kept }) {
  byId("progress").hidden = true;
  say(`${sentence(failed)}${kept ? ` Release ${kept} goes on here.` : ""}`, true);
  byId("again").hidden = byId("open").hidden = !kept;
  byId("update").hidden = false;
  byId("update").textContent = kept ? "Look for a newer release" : "Try again";
}

async function showState(what = "state") {
  const { active } = await navigator.serviceWorker.ready;
  const found = await ask(active, what);
  if (found.failed) showFailure(found);
  else show(found);
  return found;
}

/** Why nothing can be kept and answered here; empty where it can. */
function lacking() {
  if (location.protocol === "file:") return "This folder has to be served, such as by python3 -m http.server in it: a page that is opened as a file may keep nothing.";
  if (typeof WebAssembly !== "object" || !globalThis.DecompressionStream) return "This browser is too old, or has WebAssembly switched off: the models can't be run here.";
  if (!navigator.serviceWorker) return window.isSecureContext ? "This window may keep nothing, as private windows may not in some browsers: open the page in an ordinary one." : "The address has to begin with https://, or be of this machine: else browsers keep nothing.";
  return "";
}

async function begin() {
  const why = lacking();
  if (why) { say(why, true); return; }
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (data.failed) showFailure(data);
    if (!data.progress) return;
    Object.assign(byId("progress"), { hidden: false, max: data.progress.total, value: data.progress.done });
    say(data.progress.done < data.progress.total ? `Getting the models: ${(data.progress.done / 1e6).toFixed(1)} of ${(data.progress.total / 1e6).toFixed(1)} MB.` : "Answering rows whose answers are known.");
  });
  say(first ? "Getting the models." : "Starting.");
  try {
    const registration = await navigator.serviceWorker.register("service-worker.js", { type: "module", updateViaCache: "none" });
    if (!first) registration.update().catch(() => {}); // without a network the one that is here goes on
    navigator.serviceWorker.addEventListener("controllerchange", () => showState());
    if (registration.active) await showState();
  } catch (error) {
    showFailure({ failed: `the models could not be brought here: ${error.message}`, kept: null });
  }
}

byId("again").addEventListener("click", () => { say("Answering rows whose answers are known."); showState("prove"); });
byId("update").addEventListener("click", async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  if (!registration?.active) { location.reload(); return; }
  say("Looking for a newer release.");
  try {
    const found = await registration.update();
    if (!found.installing && !found.waiting) await showState();
  } catch (error) {
    showFailure({ failed: "the server can't be reached", kept: served });
  }
});
begin();
