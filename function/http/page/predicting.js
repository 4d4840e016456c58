// -------- predicting

/** What a row has to have: of an object's members, missing ones that it may leave out are. */
const fieldsSent = () => state.fields.filter(({ column, read }) => !column.absent || read() !== "null");
const rowText = (indent) => "{" + fieldsSent().map(({ column, read }) =>
  `${indent}${JSON.stringify(column.name)}: ${read()}`).join(",") + (indent.startsWith("\n") ? indent.replace(/ {2}$/, "") : "") + "}";
const bodyText = () => `{"instances": [${rowText(" ").replace("{ ", "{")}]}`;
/** What stands behind the path of a prediction: the coverage, the number of neighbours, and that unusual rows be marked. */
function queryOf(model) {
  const coverage = coverageOf(model), parts = [coverage ? `coverage=${coverage}` : "", state.k ? `k=${state.k}` : "", model.unusual ? "unusual=true" : ""].filter(Boolean);
  return parts.length ? `?${parts.join("&")}` : "";
}
const pathOf = (model, verb) => model.version === model.newest
  ? `models/${model.name}/${verb}` : `models/${model.name}/versions/${model.version}/${verb}`;

function submitted(event) { event.preventDefault(); predict(true); }

let waiting = 0, underway = null;
/** A choice was made: once there is an answer, or will be, it follows; where all is said, the first one does. */
function live(first = false) {
  showCalls();
  if (!state.answer && !first && !document.querySelector("#answer[aria-busy]")) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => predict(), 120);
}

/** The row that is made up, once the page has opened; if the server refuses it, nobody has sent anything wrong. */
function predictAtOnce() {
  byId("answer").setAttribute("aria-busy", "true");
  waiting = setTimeout(() => predict(false, true), 120);
}

/** What was asked is no longer waited for. */
function stopAsking() {
  clearTimeout(waiting);
  state.asked += 1;
  if (underway) underway.abort();
}

function stale() {
  const answer = byId("answer");
  if (answer && state.answer) answer.classList.add("stale");
}

async function predict(focusing = false, madeUp = false) {
  stopAsking();
  showCalls();
  const { asked, model } = state, body = bodyText(), { signal } = underway = new AbortController();
  state.fields.forEach((field) => field.mark(""));
  byId("answer").setAttribute("aria-busy", "true");
  try {
    const answer = await ask(pathOf(model, "predict") + queryOf(model), body, { signal });
    if (asked !== state.asked) return;
    state.answer = answer;
    showAnswer(model, answer);
    if (body !== bodyText()) stale();
    if (focusing) bringIntoView(byId("answer"));
    if (!LOCAL) await explain(model, body, answer, asked, signal);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (asked !== state.asked) return;
    if (madeUp && [400, 409, 422].includes(error.status)) byId("reply").replaceChildren(emptyAnswer());
    else refused(error, focusing);
  } finally {
    if (asked === state.asked && byId("answer")) byId("answer").removeAttribute("aria-busy");
  }
}

/** On a narrow screen the answer is below the form. */
function bringIntoView(card) {
  const { top, bottom } = byId("prediction").getBoundingClientRect();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || bottom > innerHeight) card.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

function refused(error, focusing) {
  if (error.status === 401) { showGate(error); return; }
  state.answer = null;
  markUnlike(state.model, null);
  let first = null;
  for (const each of error.problem.errors || []) {
    const field = fieldOf(each.column);
    const comma = field && field.column.type !== "string" && /\d,\d/.test(field.control.value);
    if (field) field.mark(sentence(each.detail) + (comma ? " Before decimals stands a point." : ""));
    first = first || field;
  }
  byId("answer").classList.remove("stale");
  byId("reply").replaceChildren(el("div", { class: "body" }, trouble(error, "h2")));
  say(first ? `Not predicted: ${first.column.name}: ${error.problem.errors[0].detail}` : error.problem.detail || "");
  if (first && focusing) first.control.focus();
}

const fieldOf = (name) => state.fields.find(({ column }) => column.name === name);
const sentence = (text) => text ? text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".") : "";

function trouble(error, heading) {
  const { title, detail, hint, errors, error_count: count } = error.problem;
  const listed = (errors || []).map((each) => el("li", {}, placeOf(each.column), sentence(each.detail)));
  return el("div", { class: "trouble" },
    el(heading, {}, errors ? `${count === 1 ? "One value is" : `${count} values are`} not what the model takes` : title || "It did not work"),
    errors ? el("ul", {}, listed) : el("p", {}, sentence(detail || error.problem.error || "")),
    hint ? el("p", {}, hint) : null,
    error.retry ? el("p", {}, `Try again in ${plural(Number(error.retry), "second")}.`) : null);
}

/** The column's name, which leads to its field. */
function placeOf(name) {
  if (!name) return null;
  const field = fieldOf(name);
  if (!field) return el("b", {}, `${name}: `);
  return [el("a", { href: `#${field.control.id}`, onclick: (event) => { event.preventDefault(); field.control.focus(); } }, name), ": "];
}
