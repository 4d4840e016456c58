// -------- intervals and sets

const COVERAGES = [0.5, 0.8, 0.9, 0.95];

/** The coverage that is asked for: the reader's choice, as far as the model supports it. */
function coverageOf(model) {
  const known = COVERAGES.filter((each) => model.coverage >= each);
  return state.coverage && known.length ? known.findLast((each) => each <= state.coverage) || known[0] : null;
}

/** What beside the row decides on the answer; it stays there while answers come and go. */
function wishes(model) {
  const kind = model.classes ? "set" : "interval";
  const shares = COVERAGES.filter((each) => model.coverage >= each);
  const coverage = el("select", { id: "coverage", "aria-label": kind === "set" ? "Set of labels" : "Interval", onchange: () => {
    state.coverage = Number(coverage.value) || null;
    live();
  } }, el("option", { value: 0 }, `no ${kind}`), shares.map((each) =>
    el("option", { value: each, selected: each === coverageOf(model) }, `${Math.round(100 * each)}\u202f% ${kind}`)));
  const k = el("input", { id: "k", type: "number", min: 1, step: 1, onchange: () => {
    state.k = Number(k.value) >= 1 ? Math.round(Number(k.value)) : null;
    live();
  } });
  const near = isNearest(model) ? el("label", {}, "how many", k) : null;
  return shares.length || near ? el("div", { class: "wishes" }, near, shares.length ? coverage : null) : "";
}

function regions(answer) {
  const share = `${Math.round(100 * coverageOf(state.model))}\u202f%`;
  if (answer.set && answer.set[0]) {
    const labels = answer.set[0].map(String);
    return [el("p", { class: "set" }, `${share} set: `, el("b", {}, some(labels, 20)), ` (${labels.length} of ${answer.classes.length})`)];
  }
  if (!answer.interval || !answer.interval[0]) return [];
  const value = answer.prediction[0], [first] = answer.interval;
  if (!Array.isArray(value)) return [band(first, value, `${share} interval`)];
  return first.slice(0, MOST_BARS).map((ends, index) => band(ends, value[index], [`${share} interval, `, el("bdi", {}, outputName(index))], false));
}

/** An interval as a band on a scale, with the prediction on it; the words say the same. */
function band([low, high], value, name, keeps = true) {
  const ends = (end, sign) => typeof end === "number" ? short(end) : `${sign}\u221e`;
  const words = el("p", {}, name, ": ", el("b", {}, inUnit(`${ends(low, "\u2212")} to ${ends(high, "")}`)));
  if (![low, high, value].every((each) => typeof each === "number") || !(high > low)) return el("figure", { class: "band" }, words);
  const [from, to] = spanOf(low, high, keeps);
  const at = (number) => 100 * (number - from) / (to - from);
  const placed = (kind, number, text = "") => {
    const made = el("i", { class: kind }, text);
    made.style.left = `${at(number)}%`;
    return made;
  };
  const region = placed("region", low);
  region.style.width = `${at(high) - at(low)}%`;
  const ticks = ticksOf(from, to).filter((tick) => at(tick) > 7 && at(tick) < 93);
  return el("figure", { class: "band" }, words, el("div", { class: "scale", "aria-hidden": "true" }, el("i", { class: "rail" }), region, placed("point", value),
    ticks.map((tick) => placed("tick", tick, short(Number(tick.toPrecision(8)), 4)))));
}

/** The ends of the scale. It stays while intervals fit it, so that a wider one is seen to be wider. */
function spanOf(low, high, keeps) {
  const margin = 0.35 * (high - low), kept = keeps && state.span;
  const fits = kept && low >= kept[0] && high <= kept[1] && high - low > 0.12 * (kept[1] - kept[0]);
  const span = fits ? kept : [low - margin, high + margin];
  if (keeps) state.span = span;
  return span;
}

/** Three to six round numbers. */
function ticksOf(from, to) {
  const rough = (to - from) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => power * each >= rough * 0.99);
  return Array.from({ length: Math.floor(to / step) - Math.ceil(from / step) + 1 }, (_, index) => (Math.ceil(from / step) + index) * step);
}
