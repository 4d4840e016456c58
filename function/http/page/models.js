// -------- start, key, list of models

async function start() {
  try {
    const { models, limits } = await ask("models");
    state.models = models; state.limits = limits;
    dress();
    showModels();
    await choose();
  } catch (error) {
    showTrouble(error);
  }
  byId("content").removeAttribute("aria-busy");
}

function showTrouble(error) {
  if (!(error instanceof Trouble)) throw error;
  if (error.status === 401) { showGate(error); return; }
  leave();
  byId("content").replaceChildren(el("div", { class: "card" }, trouble(error, "h2")));
}

/** The frame around the model, by what is known: a link bears no key, so it goes where one is needed. */
function dress() {
  const keyed = Boolean(sessionStorage.getItem(KEY));
  byId("forget").hidden = !keyed;
  byId("document").hidden = keyed || !state.models.length;
  byId("list").hidden = !state.model || state.models.length === 1;
}

function showGate(error) {
  const tried = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  byId("models").replaceChildren();
  leave();
  state.models = [];
  dress();
  const box = el("input", { id: "key", type: "password", ...AS_TYPED, required: true,
    "aria-describedby": "key-hint", "aria-invalid": tried ? "true" : null });
  const open = (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    sessionStorage.setItem(KEY, box.value.trim());
    start();
  };
  byId("content").replaceChildren(el("section", { class: "card gate" },
    el("h1", {}, "An API key, please"),
    el("p", { class: "quiet" }, "The models here answer to those who have a key. It stays in this tab, and is forgotten when you close it."),
    el("form", { onsubmit: open, novalidate: true },
      el("label", { for: "key" }, "API key"), box,
      el("p", { class: tried ? "hint wrong" : "hint", id: "key-hint" }, tried ? sentence(error.problem.detail) : "\u00a0"),
      el("div", { class: "actions" }, el("button", { class: "main", type: "submit" }, "Open")))));
  box.focus();
}

function showModels() {
  const all = state.models.length > 1 ? [el("li", {}, el("a", { href: "#" }, "All models"))] : [];
  byId("models").replaceChildren(...all, ...state.models.map((model) => el("li", {},
    el("a", { href: "#" + model.name, "data-name": model.name }, model.name, el("small", {}, `${model.task}, version ${model.version}`)))));
}

/** The model that the address names (#name or #name/version), or the only one; else the gallery. */
async function choose() {
  if (!state.models.length) return;
  const [name, version] = decodeURIComponent(location.hash.slice(1)).split("/");
  const found = state.models.find((model) => model.name === name) || (state.models.length === 1 ? state.models[0] : null);
  if (!found) { showGallery(); return; }
  const versions = found.versions || [];
  const number = found.name === name && versions.includes(Number(version)) ? Number(version) : found.version;
  if (state.model && state.model.name === found.name && state.model.version === number) return;
  const { hash } = location;
  const model = number === found.version ? found : await ask(`models/${found.name}?version=${number}`);
  if (location.hash !== hash) return; // another was chosen meanwhile
  const fresh = !state.model && byId("content").contains(document.activeElement); // a card was chosen
  leave();
  state.model = { ...model, newest: found.version };
  document.title = `${model.name} · onnxlet`;
  dress();
  for (const link of byId("models").querySelectorAll("a")) {
    if (link.dataset.name === found.name) {
      link.setAttribute("aria-current", "page");
      byId("list").scrollLeft = link.offsetLeft - byId("list").offsetLeft - 40; // a strip, on narrow screens
    } else link.removeAttribute("aria-current");
  }
  showModel();
  if (fresh) { scrollTo(0, 0); byId("content").focus({ preventScroll: true }); }
}

/** What runs for the model that is left ends with it. */
function leave() {
  abandon();
  stopAsking();
  state.model = null; state.answer = null;
}

function abandon() {
  for (const end of state.ending.splice(0)) end();
}
