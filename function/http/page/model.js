// -------- one model

/** The columns that a request needs, each with what is typical of it. */
function columnsOf(model) {
  const every = model.signature.inputs.flatMap((tensor) =>
    (tensor.columns || [tensor]).map((column) => ({ type: tensor.type, ...column })));
  return every.filter((column) => column.required !== false)
    .map((column) => ({ ...column, about: (model.typical || {})[column.name] || {} }));
}

/** What is said of the answer: its unit and description, where the model's builder gave some. */
const answerOf = (model) => model.signature.outputs.find(({ name }) => name === "prediction") || {};
const inUnit = (text) => [unbroken(text), answerOf(state.model).unit ? [" ", el("span", { class: "unit" }, answerOf(state.model).unit)] : null];

/** Whether a made-up row says something: of a text, and of a picture, none does. */
const saysSomething = (column) => varies(column) || (column.type === "string" && column.about.example !== undefined);

function showModel() {
  const model = state.model;
  const columns = columnsOf(model);
  state.fields = columns.map(makeField);
  state.span = null; state.k = null;
  const ready = columns.every(saysSomething);
  const wide = columns.length > WIDE, pictured = columns.some(({ type }) => type === "image");
  const keys = columns.every(varies) ? "Enter" : "Control+Enter";
  const fields = el("fieldset", { class: "fields" }, el("legend", { class: "sr" }, "Columns"), state.fields.map((field) => field.box));
  const form = el("form", { class: "card first-in-line", "aria-label": "A row to predict", novalidate: true, onsubmit: submitted },
    el("h2", {}, model.task === "recommendation" ? `Ratings of ${columns.length} items` : wide ? `A row of ${columns.length} columns` : pictured && columns.length === 1 ? "A picture" : "A row"),
    ready ? el("p", { class: "hint made-up" }, model.task === "recommendation" ? "A few have made-up ratings. Rate what you like, and leave the others empty." : "Made up, of medians and frequent values. Change what you like.") : null,
    wide ? [finder(), el("div", { class: columns.some(({ name }) => name.length > 5) ? "wide named" : "wide", tabindex: "0", role: "group", "aria-label": "Columns" }, fields)] : fields,
    el("div", { class: "actions" },
      el("button", { class: "main", type: "submit", "aria-keyshortcuts": keys }, "Predict", el("kbd", { "aria-hidden": "true" }, keys.replace("Control+", "Ctrl "))),
      columns.some(varies) ? button({ id: "another", onclick: another }, "Another example") : null),
    pictured ? null : pasteBox(columns, wide));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });
  byId("content").replaceChildren(
    titleOf(model, columns),
    el("div", { class: "work" },
      el("div", { class: "column" }, form, certificate(model)),
      el("div", { class: "column beside" },
        el("section", { class: "card answer", id: "answer", "aria-label": "Answer" },
          el("header", {}, el("h2", { class: "kicker" }, kicker(model)), wishes(model)),
          el("div", { id: "reply" }, ready ? el("div", { class: "wait" }) : emptyAnswer())),
        LOCAL ? "" : calls())),
    pictured ? "" : tableBox(model), LOCAL ? "" : driftPanel(model));
  fill(madeUp(columns, typicalCell));
  if (ready) { reserve(model); predictAtOnce(); }
}

/** Of many fields, show those whose names hold a text. */
function finder() {
  const box = el("input", { type: "search", id: "find", "aria-label": "Find a column", placeholder: "Find a column", ...AS_TYPED, oninput: () => {
    for (const field of state.fields) field.box.hidden = !field.column.name.toLowerCase().includes(box.value.trim().toLowerCase());
  } });
  return box;
}

/** A link bears no key: where one is needed, the report is fetched with it and saved as a file. */
async function saveReport(event, model) {
  const key = sessionStorage.getItem(KEY);
  if (!key) return;
  event.preventDefault();
  const response = await fetch(BASE + model.report, { headers: { "X-API-Key": key }, cache: "no-store" });
  if (!response.ok) { say(`No report: status ${response.status}.`); return; }
  el("a", { href: URL.createObjectURL(await response.blob()), download: `${model.name}-report.html` }).click();
}

/** The aliases of a version. */
const namesOf = (model, version) => Object.entries(model.aliases || {}).filter(([, to]) => to === version).map(([name]) => name);

function titleOf(model, columns) {
  const versions = [...(model.versions || [model.version])].reverse();
  const pick = el("select", { "aria-label": "Version", onchange: (event) => { location.hash = `${model.name}/${event.target.value}`; } },
    versions.map((version) => el("option", { value: version, selected: version === model.version }, [`version ${version}`, ...namesOf(model, version)].join(", "))));
  const proven = isProven(model);
  return el("header", { class: "title" }, el("h1", {}, model.name),
    el("div", { class: "meta" },
      el("span", {}, model.task), el("span", { class: "dot" }, plural(columns.length, "column")),
      versions.length > 1 ? pick : el("span", { class: "dot" }, `version ${model.version}`),
      model.report ? el("span", { class: "dot" }, el("a", { href: BASE + model.report, onclick: (event) => saveReport(event, model) }, "report")) : null,
      el("a", { class: proven ? "proof" : "proof none", href: "#certificate", onclick: (event) => {
        event.preventDefault();
        byId("certificate").scrollIntoView({ block: "center" }); byId("certificate").focus({ preventScroll: true });
      } }, proven ? "✓ proven" : "not proven")));
}
