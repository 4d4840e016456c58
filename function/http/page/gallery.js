// -------- the gallery: every model, a card each

const SEARCHED_FROM = 12; // models, from which on there is a box to search them

/** The landing view where several models are served. */
function showGallery() {
  const came = state.model && state.model.name;
  leave();
  document.title = "onnxlet";
  dress();
  const cards = state.models.map(cardOf);
  const box = el("input", { id: "search", type: "search", ...AS_TYPED, value: state.search, oninput: () => {
    state.search = box.value;
    sift(cards);
  } });
  byId("content").replaceChildren(
    el("header", { class: "title" }, el("h1", {}, "Models"), el("p", { class: "meta" }, el("span", { id: "found" }), el("span", { class: "dot" }, "choose one to try it"))),
    state.models.length < SEARCHED_FROM ? "" : el("div", { class: "search" }, el("label", { for: "search" }, "Search"), box,
      el("p", { class: "hint" }, "by name, column, class or task")),
    el("ul", { class: "gallery" }, cards.map(({ card }) => card)));
  sift(cards);
  const back = cards.find(({ name }) => name === came);
  if (back) back.card.querySelector("a").focus();
}

/** Show the cards that hold every word of the search. */
function sift(cards) {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { card, text } of cards) {
    card.hidden = !words.every((word) => text.includes(word));
    found += !card.hidden;
  }
  const said = words.length ? `${found} of ${plural(cards.length, "model")}` : plural(cards.length, "model");
  byId("found").textContent = said;
  if (words.length) say(said);
}

function cardOf(model) {
  const columns = columnsOf(model);
  const [name, pair] = Object.entries(model.metrics || {}).find(([, each]) => each && typeof each.model === "number") || [];
  const card = el("li", { class: "card" },
    el("h2", {}, el("a", { href: "#" + model.name, "data-name": model.name }, model.name)),
    el("p", {}, purpose(model)),
    el("dl", { class: "facts" }, el("dt", {}, "takes"), el("dd", {}, takes(columns)), el("dt", {}, "answers"), el("dd", {}, answers(model)),
      name ? [el("dt", {}, "score"), el("dd", {}, `${word(name)} ${short(pair.model, 3)}`,
        typeof pair.baseline === "number" ? el("span", { class: "quiet" }, ` (a constant answer: ${short(pair.baseline, 3)})`) : "")] : null));
  const text = [model.name, model.task, purpose(model), answers(model), ...(model.classes || []).flat(), ...columns.map((column) => column.name)];
  return { name: model.name, card, text: text.join("\n").toLowerCase() };
}

const isNearest = ({ task }) => task === "neighbours" || task === "recommendation";
const typeOf = (model) => model.signature.outputs.find(({ name }) => name === "prediction") || model.signature.outputs[0] || {};
const sizeOf = (model) => (typeOf(model).shape || []).slice(1).reduce((product, size) => product * size, 1);

const writes = (model) => model.task === "function" && typeOf(model).type === "string";

/** The task, in words. */
function purpose(model) {
  const { type } = typeOf(model), several = sizeOf(model) > 1;
  if (type === "boxes") return "Finds things in a picture";
  if (writes(model)) return "Writes a text";
  return {
    regression: several ? "Predicts numbers" : "Predicts a number", classification: several ? "Chooses labels" : "Chooses a label",
    clustering: "Finds the group of a row", outlier: "Separates outliers from usual rows", transformation: "Transforms a row",
    neighbours: "Finds what is nearest", recommendation: "Recommends items", summary: "Picks the sentences that matter", translation: "Translates a text",
    function: "Computes what an imported graph does",
  }[model.task] || model.task;
}

/** What goes in, in a line. */
function takes(columns) {
  const parts = [], others = columns.filter(({ type }) => type !== "image");
  if (others.length < columns.length) parts.push(columns.length - others.length === 1 ? "a picture" : "pictures");
  const only = others.length === 1 ? others[0] : null;
  if (only && only.type === "string" && !only.categories && !(only.about.frequent || []).length) parts.push(only.name === "text" ? "a text" : `a text, ${only.name}`);
  else if (only && only.cell) parts.push(usualText(only));
  else if (others.length) parts.push(`${plural(others.length, "column")}: ${some(others.map(({ name }) => name), 3)}`);
  return parts.join(" and ");
}

/** The first few, and a sign that there are more. */
const some = (names, most) => names.slice(0, most).join(", ") + (names.length > most ? ", …" : "");

/** What comes out, in a line. */
function answers(model) {
  const { type } = typeOf(model), names = model.signature.outputs.map(({ name }) => name), size = sizeOf(model);
  const beside = [names.includes("probabilities") ? "probabilities" : "", names.includes("std") ? "a standard deviation" : "", names.includes("score") ? (isNearest(model) || model.task === "summary" ? "scores" : "a score") : "",
    names.includes("distances") ? "distances" : "", model.coverage ? (model.classes ? "sets" : "intervals") : ""].filter(Boolean);
  return what() + (beside.length ? `, with ${new Intl.ListFormat("en").format(beside)}` : "");

  function what() {
    if (type === "boxes") return "boxes with labels";
    if (isNearest(model)) return model.task === "neighbours" ? "items, nearest first" : "items, best first";
    if (model.task === "summary") return "sentences of the text";
    if (model.task === "outlier") return "outlier or inlier";
    if (model.classes && Array.isArray(model.classes[0])) return plural(model.classes.length, "label");
    if (model.classes && size > 1) return `${size} labels, each yes or no`;
    if (model.classes) return model.classes.length > 3 ? `one of ${model.classes.length}: ${some(model.classes, 3)}` : new Intl.ListFormat("en", { type: "disjunction" }).format(model.classes.map(String));
    if (model.task === "clustering") return "the number of a group";
    if (type === "string") return "a text";
    return size > 1 ? plural(size, "number") : size < 0 ? "lists of numbers" : "a number";
  }
}
