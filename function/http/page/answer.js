// -------- the answer

function emptyAnswer() {
  const wants = state.fields.some(({ take }) => take) ? "picture" : state.fields.every(({ column }) => saysSomething(column)) ? "row" : "text";
  return el("div", { class: "body" }, el("p", { class: "quiet" },
    wants === "picture" && state.fields.length === 1 ? "Give it a picture: the answer follows." : `Give it a ${wants}, and press Predict.`));
}

const KICKERS = { clustering: "Cluster", transformation: "Transformed", neighbours: "Nearest", recommendation: "Recommended", summary: "Summary" };

/** What the answer is: of a target, its name. */
const kicker = (model) => KICKERS[model.task] || (writes(model) ? "Text" : typeof model.target === "string" ? ["Predicted ", el("bdi", {}, model.target)] : "Prediction");

function showAnswer(model, answer) {
  const [text, more, exact] = headline(model, answer), found = answer.unusual && answer.unusual[0];
  markUnlike(model, found);
  const size = text.length > 60 || model.task === "summary" ? "big prose" : text.length > 16 ? "big long" : "big";
  byId("answer").classList.remove("stale");
  byId("reply").replaceChildren(el("div", { class: "body" },
    el("p", { class: size, id: "prediction" }, shown(model, answer, text), more ? [" ", el("span", { class: "with" }, more)] : null),
    exact ? el("p", { class: "exact" }, unbroken(exact)) : null,
    answerOf(model).description ? el("p", { class: "quiet" }, answerOf(model).description) : null, unlike(found), inFull(model, answer)),
    LOCAL ? "" : el("div", { class: "why", id: "why" }, el("header", {}, el("h3", {}, "Why")), el("div", { class: "wait" })));
  reserve(model);
  say(`${model.name}: ${byId("prediction").textContent}${found ? ". The row is unlike those that the model learned from" : ""}`);
}

/** All that an answer has beside its headline. */
function inFull(model, answer) {
  const value = answer.prediction[0];
  if (isBoxes(model, value)) return boxesOnPicture(value);
  if (model.task === "summary" && Array.isArray(value)) return sentencesInText(value);
  const beside = besideItems(answer);
  if (beside) return itemList(value, answer[beside][0], beside);
  return [...regions(answer), ...probabilities(answer), values(value)];
}

/** The answer in a few words, what stands beside it, and all its digits. */
function headline(model, answer) {
  const value = answer.prediction[0];
  if (value === null) return ["no number", "", "The answer is NaN or infinite, as in scikit-learn."];
  if (isBoxes(model, value)) return [counted(value), "", ""];
  if (model.task === "summary" && Array.isArray(value)) return [value.join(" "), "", ""];
  if (besideItems(answer)) {
    const count = value.filter((item) => item !== null).length;
    return [String(value[0] ?? "nothing"), "", count > 1 ? `first of ${count}` : ""];
  }
  if (Array.isArray(value) && Array.isArray(value[0])) return [`${sizesOf(value).join(" by ")} values`, "", ""];
  if (Array.isArray(value)) return value.length > 3 ? [plural(value.length, "value"), "", ""] : [value.map((each, index) => `${model.output_names ? `${outputName(index)} ` : ""}${short(each)}`).join(", "), "", ""];
  if (model.task === "outlier") return [value === 1 ? "inlier" : "outlier", "", `score ${answer.score ? answer.score[0] : value}`];
  if (model.task === "clustering" || model.classes) {
    const index = (answer.classes || []).indexOf(value);
    const share = answer.probabilities && index >= 0 ? answer.probabilities[0][index] : null;
    const { label, share: least } = model.threshold || {};
    const more = least ? `${label} is answered from ${percent(least)} on.` : answer.score !== undefined ? `score ${JSON.stringify(answer.score[0])}` : "";
    return [String(value), typeof share === "number" ? percent(share) : "", more];
  }
  if (typeof value === "string") return [value, "", answer.score ? `score ${short(answer.score[0], 4)}` : ""];
  const text = short(value);
  const spread = answer.std && typeof answer.std[0] === "number" ? `± ${short(answer.std[0], 4)}` : "";
  return [text, spread, signed(String(value)) === short(value) ? "" : `exactly ${value}`];
}

/** The headline as it stands there: of several named outputs each with its name, of a number with its unit. */
function shown(model, { prediction: [value] }, text) {
  const said = (one, words) => typeof one === "number" && !model.classes && model.task !== "outlier" ? inUnit(words) : unbroken(words);
  if (model.output_names && Array.isArray(value) && value.length <= 3) {
    return value.map((each, index) => [index ? ", " : "", el("span", { class: "each" }, el("small", {}, el("bdi", {}, outputName(index))), " ", said(each, short(each)))]);
  }
  return said(value, text);
}

/** What one of several outputs is called: as at build, else by its number. */
const outputName = (index) => (state.model.output_names || [])[index] ?? `output ${index + 1}`;

/** Of nested lists, the outermost first. */
const sizesOf = (value) => Array.isArray(value) ? [value.length, ...sizesOf(value[0])] : [];

function probabilities(answer) {
  const row = answer.probabilities && answer.probabilities[0];
  if (!row) return [];
  if (Array.isArray(row[0])) return row.map((part, index) => [el("h3", { class: "label" }, el("bdi", {}, outputName(index))), shareBars(part, answer.classes[index], answer.prediction[0][index], outputName(index))]);
  return [shareBars(row, answer.classes && !Array.isArray(answer.prediction[0]) ? answer.classes : row.map((_, index) => index), answer.prediction[0], "Probabilities",
    (answer.set && answer.set[0]) || [])];
}

/** The likeliest classes, those of a set marked; of many the ten likeliest, and the rest in a line. */
function shareBars(shares, classes, chosen, label, inSet = []) {
  const order = shares.map((share, index) => [share || 0, classes[index]]).sort((a, b) => b[0] - a[0]);
  const shown = order.slice(0, order.length > MOST_BARS ? MOST_CLASSES : MOST_BARS);
  const rest = order.slice(shown.length).reduce((sum, [share]) => sum + share, 0);
  return el("ul", { class: "bars", "aria-label": label },
    shown.map(([share, name]) => shareLine(share, name, percent(share), name === chosen ? "first" : null, inSet.includes(name))),
    order.length > shown.length ? shareLine(rest, plural(order.length - shown.length, "other"), percent(rest), "rest") : null);
}

/** A name, a bar, and what it says in words. */
function shareLine(share, name, words, kind = null, inSet = false) {
  const bar = el("i", {});
  bar.style.width = `${100 * Math.abs(share)}%`;
  return el("li", { class: kind }, el("span", { class: "name", title: name }, inSet ? [el("span", { class: "mark-in", "aria-hidden": "true" }, "✓"), el("span", { class: "sr" }, "in the set: ")] : null, String(name)),
    el("span", { class: "track", "aria-hidden": "true" }, bar), el("span", { class: "value" }, words));
}

function values(value) {
  const flat = Array.isArray(value) ? value.flat(Infinity) : [];
  if (flat.length <= 3) return null;
  return el("ol", { class: "values", tabindex: "0", "aria-label": "Values" }, flat.slice(0, MOST_VALUES).map((each, index) =>
    el("li", {}, el("span", {}, state.model.output_names ? outputName(index) : String(index)), el("span", { class: "number", title: each }, short(each, 5)))));
}
