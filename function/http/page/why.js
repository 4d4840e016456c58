// -------- why: contributions

/** Keep the height that the answer, or its bars, will take, so that nothing moves when they come. */
function reserve(model) {
  if (LOCAL) return;
  const why = 90 + 26 * Math.min(columnsOf(model).length, MOST_BARS), classes = Math.min((model.classes || []).length, MOST_CLASSES);
  if (byId("why")) byId("why").style.minHeight = `${why}px`;
  else byId("reply").style.minHeight = `${100 + why + (classes ? 18 + 28 * classes : 0) + (coverageOf(model) ? classes ? 37 : 98 : 0)}px`;
}

async function explain(model, body, answer, asked, signal) {
  let reply;
  try {
    reply = await ask(pathOf(model, "explain"), body, { signal });
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (asked === state.asked && byId("why")) noExplanation(error);
    return;
  }
  if (asked === state.asked && byId("why")) showExplanation(reply, answer);
}

function noExplanation(error) {
  const { detail, hint } = error.problem, gone = [404, 405].includes(error.status);
  byId("why").replaceChildren(el("header", {}, el("h3", {}, "Why")),
    el("p", { class: "sum" }, gone ? "This model has no explanations here." : [detail || error.message, hint || ""].map(sentence).join(" ")));
}

function showExplanation(reply, answer) {
  const first = reply.explanations[0];
  const names = explained(reply, isNearest(state.model) ? answer.prediction[0] : []);
  let index = Math.max(names.indexOf(reply.classes && Array.isArray(reply.classes[0]) ? `${answer.prediction[0][0]} (${outputName(0)})` : answer.prediction[0]), 0);
  const pick = names.length > 1 ? el("label", {}, "for", el("select", { onchange: (event) => { index = Number(event.target.value); draw(); } },
    names.map((name, number) => el("option", { value: number, selected: number === index }, String(name))))) : null;
  byId("why").replaceChildren(el("header", {}, el("h3", {}, "Why"), pick),
    el("p", { class: "sum", id: "sum" }), el("ul", { class: "pushes", id: "pushes", "aria-label": "Contributions" }), el("div", { id: "tokens" }));
  const draw = () => drawPushes(reply, first, (value) => (Array.isArray(value) ? value.flat()[index] : value));
  draw();
}

/** What the numbers of a contribution are of: classes, those of several outputs, items, or positions. */
function explained({ classes, explanations: [{ answer }], base_value: base = answer }, items) {
  if (!classes) return Array.isArray(base) ? base.map((_, index) => index in items ? `${index + 1}. ${items[index]}` : outputName(index)) : [];
  return classes.flatMap((known, index) => Array.isArray(known) ? known.map((name) => `${name} (${outputName(index)})`) : [known]);
}

function drawPushes(reply, first, at) {
  const based = reply.base_value !== undefined; // else there are tiles alone
  const base = at(reply.base_value);
  const heats = Object.keys(first.tiles || {}).map((name) => [name, tilesOf(first, name)]).filter(([name, tiles]) => tiles && fieldOf(name));
  const pushes = Object.entries(first.contributions || {}).filter(([name]) => fieldOf(name)).map(([name, value]) => [name, at(value)]);
  const end = base + pushes.reduce((sum, [, value]) => sum + value, 0);
  const tokens = Object.entries(first.tokens || {});
  const heatAlone = !based || (pushes.length === 1 && heats.length === 1);
  const textAlone = pushes.length === 1 && tokens.length === 1 && tokens[0][1].length > 0;
  const bars = textAlone ? byToken(tokens[0][1], at) : pushes;
  const words = wording(reply.output === "probabilities", [base, end, ...bars.map(([, value]) => value)]);
  const tiled = wording(reply.output === "probabilities", heats.flatMap(([, tiles]) => tiles.flat().map(at)));
  byId("sum").replaceChildren(...(based ? ["On average ", el("b", { class: "number" }, words.plain(base)), ", here ", el("b", { class: "number" }, words.plain(end)), ". "] : []),
    heatAlone ? "What each part of the picture adds" : textAlone ? "What the words add" : "What each column adds", reply.output === "probabilities" && !heatAlone ? ", in percentage points:" : ":");
  byId("pushes").hidden = heatAlone;
  byId("pushes").replaceChildren(...pushBars(bars, words.plus, textAlone ? 8 : MOST_BARS));
  byId("tokens").replaceChildren(...heats.map(([name, tiles]) => heatMap(name, tiles, at, tiled.plus)), ...tokens.map(([name, each]) => tokenText(name, each, at, words.plus)));
}

/** Contributions in figures that can be compared: all with as many places as the largest needs. */
function wording(shares, values) {
  const largest = Math.max(...values.map(Math.abs).filter(Number.isFinite), 1e-300);
  const places = Math.min(Math.max(3 - Math.floor(Math.log10(largest)), 0), 20);
  const plain = (value) => {
    if (shares) return percent(value);
    return largest >= 1e15 || largest < 1e-6 ? signed(value.toExponential(2)) : grouped(value.toFixed(places));
  };
  const plus = (value) => {
    const text = plain(value);
    return /[1-9]/.test(text) ? (value > 0 ? "+" : "") + text : text.replace("\u2212", "");
  };
  return { plain, plus };
}

/** Each token once, wherever it stands. */
function byToken(tokens, at) {
  const sums = new Map();
  for (const { token, contribution } of tokens) sums.set(token, (sums.get(token) || 0) + at(contribution));
  return [...sums];
}

function pushBars(pushes, plus, most) {
  const order = [...pushes].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const shown = order.slice(0, order.length > most ? most - 1 : most), rest = order.slice(shown.length);
  if (rest.length) shown.push([`${rest.length} others`, rest.reduce((sum, [, value]) => sum + value, 0)]);
  const largest = Math.max(...shown.map(([, value]) => Math.abs(value)), 1e-300);
  return shown.map(([name, value]) => {
    const bar = el("i", {});
    bar.style.width = `${(50 * Math.abs(value)) / largest}%`;
    const some = /[1-9]/.test(plus(value));
    return el("li", { class: some ? (value < 0 ? "down" : "up") : "none" },
      el("span", { class: "name", title: name }, name),
      el("span", { class: "axis", "aria-hidden": "true" }, bar), el("span", { class: "value" }, plus(value)));
  });
}

/** The text, each token shaded by how much it pushed; positions count characters, not UTF-16. */
function tokenText(name, tokens, at, plus) {
  const field = state.fields.find(({ column }) => column.name === name);
  const letters = Array.from(field ? JSON.parse(field.read()) || "" : "");
  const largest = Math.max(...tokens.map((token) => Math.abs(at(token.contribution))), 1e-300);
  const parts = [];
  let done = 0;
  for (const token of [...tokens].sort((a, b) => a.start - b.start)) {
    if (token.start < done) continue; // tokens may overlap: pairs of words do
    parts.push(letters.slice(done, token.start).join(""));
    const value = at(token.contribution), share = Math.abs(value) / largest;
    const mark = el("mark", { title: plus(value) }, letters.slice(token.start, token.end).join(""));
    const tint = value < 0 ? "--down-tint" : "--up-tint";
    if (share > 0.02) mark.style.background = `rgb(var(${tint}) / ${(0.42 * share).toFixed(3)})`;
    if (share > 0.25) mark.style.borderBottomColor = value < 0 ? "var(--down)" : "var(--up)";
    parts.push(mark);
    done = token.end;
  }
  parts.push(letters.slice(done).join(""));
  return el("div", { class: "tokens" }, el("h4", { class: "label" }, name), el("p", { class: "text" }, parts));
}
