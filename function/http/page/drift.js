// -------- drift: then and now

const OPEN_AT_FIRST = 6; // features with an alarm
const LEAST_ROWS = 100; // of which figures are shown
const SOURCES = { X_train: "training rows", X_test: "held-out rows", sample: "rows of the sample" };
const MEASURES = { length: "length of the text", unknown_tokens: "share of unknown tokens" };
const STATISTICS = { missing: "share of missing values", unseen: "share of all other values" };
const PERFORMANCE = ["accuracy", "precision", "recall", "f1", "roc_auc", "mean_absolute_error", "root_mean_squared_error"];

/** Loaded when it is opened first. */
function driftPanel(model) {
  const box = el("div", {});
  const refresh = button({ class: "plain", id: "refresh", onclick: () => showDrift(model, box) }, "Refresh");
  return el("details", { class: "card drift", id: "drift", ontoggle: (event) => { if (event.target.open && !box.firstChild) showDrift(model, box); } },
    el("summary", {}, el("h2", {}, "Drift"), "what comes in and goes out, beside what did at build"),
    el("div", { class: "since" }, el("p", { class: "quiet", id: "since" }), refresh), box);
}

async function showDrift(model, box) {
  if (box.getAttribute("aria-busy")) return;
  box.setAttribute("aria-busy", "true");
  if (!box.firstChild) box.append(el("div", { class: "wait" }));
  let parts;
  try {
    parts = driftParts(await ask(`models/${model.name}/drift?version=${model.version}`));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (!box.isConnected) return;
    if (error.status === 401) { showGate(error); return; }
    parts = [403, 404].includes(error.status) ? [el("p", {}, [sentence(error.problem.detail), error.problem.hint].filter(Boolean).join(" "))] : [trouble(error, "h3")];
    say(error.problem.detail || "");
  } finally {
    box.removeAttribute("aria-busy");
  }
  if (!box.isConnected) return; // another model was chosen meanwhile
  const open = new Set([...box.querySelectorAll("details[open]")].map((each) => each.dataset.of));
  box.replaceChildren(...parts.flat(Infinity).filter(Boolean));
  for (const each of box.querySelectorAll("details")) if (open.has(each.dataset.of)) each.open = true;
}

function driftParts(found) {
  const { source, rows, held_out: held } = found.reference;
  const some = found.came > found.rows ? `, counted of ${grouped(found.came)} that came` : "";
  byId("since").textContent = `${plural(found.rows, "row")} since ${moment(found.since)}${some}. ` +
    (found.window ? `The latest ${grouped(found.window)} are compared with ${grouped(rows)} ${SOURCES[source] || source}, their answers with those to ${plural(held, "held-out row")}.` : "");
  if (!found.window) {
    const soFar = found.waiting === null ? `Nothing to show yet: figures are of ${LEAST_ROWS} rows or more`
      : `${plural(found.waiting, "row")} so far: figures from ${LEAST_ROWS} on`;
    say(soFar);
    return [found.alarms.length ? alarms(found, []) : null, el("p", {}, `${soFar}, so that none is of anybody\u2019s row.`), realised(found.realised), refusals(found)];
  }
  const entries = [...found.predictions, ...found.columns];
  const rank = (entry) => found.alarms.findIndex((alarm) => keyOf(alarm) === keyOf(entry));
  const alarmed = entries.filter(({ tests }) => tests.some((test) => test.alarmed)).sort((a, b) => rank(a) - rank(b));
  const others = entries.filter((entry) => !alarmed.includes(entry));
  const folds = alarmed.map((entry, index) => feature(entry, index < OPEN_AT_FIRST));
  say(found.alarms.length ? `Alarms: ${found.alarms[0].sentence}` : "No alarm");
  return [alarms(found, folds), expected(found), realised(found.realised),
    el("h3", {}, "Each column and each answer, then and now"), el("div", { class: "two" }, folds),
    others.length ? fold("others", `${grouped(others.length)} without an alarm`, el("div", { class: "two" }, others.map((entry) => feature(entry)))) : null,
    refusals(found),
    found.left_out.length ? fold("left", `${plural(found.left_out.length, "column")} not counted`, el("p", {}, found.left_out.join(", "))) : null];
}

const nameOf = (entry) => entry.column ?? entry.output;
const moment = (text) => `${text.slice(0, 16).replace("T", " ")} UTC`;
const fold = (of, summary, ...inside) => el("details", { "data-of": of }, el("summary", {}, summary), inside);

/** What a feature is, beside its name. */
const aboutOf = ({ output, measure, index }) => [output === undefined ? "" : "answer", measure === "value" ? "" : MEASURES[measure] || measure,
  index === undefined ? "" : `number ${index + 1}`].filter(Boolean).join(", ");
const keyOf = (entry) => JSON.stringify([nameOf(entry), aboutOf(entry)]);

/** A table whose rows begin with their heads. */
function table(caption, heads, rows, kind = "") {
  return el("table", { class: `figures ${kind}` }, el("caption", { class: "sr" }, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => head ? el("th", { scope: "col" }, head) : el("td", {})))),
    el("tbody", {}, rows.map(([head, ...cells]) => el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, head)), cells.map((cell) => el("td", {}, cell))))));
}

function testText({ statistic, value, threshold, alarmed }) {
  const text = STATISTICS[statistic] ? percent : (number) => short(number, 3);
  return `${STATISTICS[statistic] || statistic.replace(/^coverage (.*)/, "coverage, $1 asked for,")} ${text(value)}, ${alarmed ? "" : "alarm "}${value < threshold && alarmed ? "below" : "above"} ${text(threshold)}`;
}

/** A line for each feature: its sentences, then the statistics behind them. */
function alarms(found, folds) {
  if (!found.alarms.length) return el("p", { class: "calm" }, "No alarm: nothing differs by more than chance explains.");
  const groups = new Map();
  for (const alarm of found.alarms) groups.set(keyOf(alarm), [...groups.get(keyOf(alarm)) || [], alarm]);
  const lines = [...groups].map(([key, some]) => {
    const fold = folds.find((each) => each.dataset.of === key), about = fold ? aboutOf(some[0]) : "";
    const name = fold ? el("a", { href: "#drift", onclick: (event) => {
      event.preventDefault();
      fold.open = true; fold.firstChild.focus();
    } }, el("bdi", {}, nameOf(some[0]))) : "What came of predictions";
    return el("li", {}, name, about ? ` (${about})` : "", `: ${[...new Set(some.map((alarm) => alarm.sentence))].join(" ")} `,
      el("span", { class: "quiet" }, `(${some.map((alarm) => testText({ ...alarm, alarmed: true })).join("; ")})`));
  });
  const listed = (some) => el("ul", { class: "alarms" }, some);
  return [el("h3", {}, "Alarms"), listed(lines.slice(0, MOST_BARS)),
    lines.length > MOST_BARS ? fold("alarms", `${lines.length - MOST_BARS} more`, listed(lines.slice(MOST_BARS))) : null];
}

const word = (name) => name.replaceAll("_", " ").replace("roc auc", "ROC AUC").replace("f1", "F1").replace("r2", "R\u00b2");
const figure = (value, name = "error") => typeof value !== "number" ? "\u2013" : name.endsWith("error") ? short(value, 4) : value.toFixed(3);

/** Performance as two saw it, or two times. */
function figuresTable(caption, heads, first, second) {
  const known = PERFORMANCE.filter((name) => first[name] !== undefined);
  return table(caption, ["", ...heads], [...known.map((name) => [word(name), figure(first[name], name), figure(second[name], name)]),
    ["rows", figure(first.rows), figure(second.rows)]]);
}

function expected({ estimated }) {
  const head = el("h3", {}, "Expected performance");
  if (!estimated) return [head, el("p", {}, "It is not estimated: that takes one label or number a row, and held-out rows with the right answers at build.")];
  return [head,
    el("p", { class: "quiet" }, "What the recent answers should be worth, without labels. It assumes that rows mean what they meant at build: under concept drift, where the same rows have come to mean something else, it fails."),
    estimated.doubtful?.length ? el("p", { class: "alarms" }, "Don\u2019t trust it now: the build has seen no such rows, by ",
      estimated.doubtful.map((name, index) => [index ? ", " : "", el("bdi", {}, name)]), ".") : null,
    el("div", { class: "two" }, figuresTable("Expected performance", ["recent rows, expected", "held-out rows, realised"], estimated, estimated.held_out),
      estimated.history.length ? overTime(estimated) : null)];
}

function overTime(estimated) {
  const points = [...estimated.history, estimated];
  const names = PERFORMANCE.filter((name) => typeof estimated[name] === "number");
  let name = names.includes(state.figure) ? state.figure : names[0];
  const box = el("div", { class: "chart" });
  const draw = () => {
    const open = box.querySelector("details[open]");
    box.replaceChildren(...lineChart(points, name, estimated.held_out[name]));
    box.querySelector("details").open = Boolean(open);
  };
  const pick = el("select", { onchange: (event) => { state.figure = name = event.target.value; draw(); } },
    names.map((each) => el("option", { value: each, selected: each === name }, word(each))));
  draw();
  return el("figure", { class: "line" }, el("label", {}, "Expected", pick, "over time; dashed: on held-out rows"), box);
}

/** Points at equal distances: each is of as many rows. */
function lineChart(points, name, held) {
  const values = points.map((point) => point[name]), known = [...values, held].filter((value) => typeof value === "number");
  const error = name.endsWith("error"), most = Math.max(...known);
  const low = error ? 0 : Math.max(Math.min(...known) - 0.05, 0), high = error ? 1.2 * most || 1 : Math.min(most + 0.05, 1);
  const x = (index) => `${1 + 98 * index / (values.length - 1)}%`, y = (value) => `${100 * (high - value) / (high - low)}%`;
  const dots = values.flatMap((value, index) => typeof value !== "number" ? [] : [
    typeof values[index - 1] === "number" ? el("line", { x1: x(index - 1), y1: y(values[index - 1]), x2: x(index), y2: y(value) }) : null,
    el("circle", { class: "now", cx: x(index), cy: y(value), r: 3.5 })]);
  const level = typeof held === "number" ? el("line", { class: "held", x1: 0, y1: y(held), x2: "100%", y2: y(held) }) : null;
  const times = points.map(({ until }) => until ? moment(until) : "now");
  return [el("div", { class: "ends up" }, el("span", {}, short(high, 3)), el("span", {}, short(low, 3))),
    el("svg", { role: "img", "aria-label": `Expected ${word(name)}, from ${figure(values[0], name)} to ${figure(values[values.length - 1], name)}; on held-out rows ${figure(held, name)}` }, level, dots),
    el("span", {}), el("div", { class: "ends" }, el("span", {}, times[0]), el("span", {}, "now")),
    fold("history", "Numbers", table(`Expected ${word(name)} over time`, ["until", "rows", word(name)],
      points.map((point, index) => [times[index], figure(point.rows), figure(values[index], name)])))];
}

function realised(found) {
  if (!found) return null;
  const pairs = (caption, heads, rows, [first, second]) => rows && rows.length ? el("div", {}, el("p", { class: "label" }, caption),
    bins(caption, heads, rows.map((row) => plural(row.rows, "row")), rows.map((row) => row[first]), rows.map((row) => row[second]))) : null;
  return [el("h3", {}, "Realised performance"),
    el("p", { class: "quiet" }, "Of rows whose truth was reported, beside what was expected of those of them that have a probability, a score or a number."),
    el("div", { class: "two" }, figuresTable("Realised performance", ["realised", "expected"], found, found.estimated || {}),
      pairs("Calibration: how sure, and how often right", ["rows", "", "sure", "right"], found.calibration, ["confidence", "accuracy"]),
      pairs("Coverage: asked for, and met", ["rows", "", "asked", "met"], found.coverage, ["asked", "realised"]))];
}

/** A column or an answer; its bins are drawn once they are seen. */
function feature(entry, open = false) {
  const about = aboutOf(entry);
  const draw = () => {
    if (made.open && made.childElementCount === 1) made.append(
      bins(`${nameOf(entry)}: share of the rows in each bin`, [entry.categories ? "value" : "range", "", "then", "now"], binLabels(entry), entry.reference, entry.window),
      el("p", { class: "tests" }, entry.tests.map((test, index) => [index ? "; " : "", el(test.alarmed ? "b" : "span", {}, testText(test))])));
  };
  const made = el("details", { class: "feature", open, ontoggle: draw, "data-of": keyOf(entry) },
    el("summary", {}, el("b", {}, el("bdi", {}, nameOf(entry))), about ? ` ${about}` : ""));
  draw();
  return made;
}

function bins(caption, heads, labels, then, now) {
  const largest = Math.max(...then, ...now, 1e-9);
  const bar = (share, y, kind) => el("rect", { class: kind, y, height: 6, rx: 1.5, width: `${100 * share / largest}%` });
  return table(caption, heads, labels.map((label, index) => [label,
    el("svg", { "aria-hidden": "true" }, bar(then[index], 1, "then"), bar(now[index], 8, "now")), percent(then[index]), percent(now[index])]), "bins");
}

/** In words: a number v lies in the bin after all edges below it. */
function binLabels({ column, measure, edges, categories }) {
  if (categories) return [...categories.map((value) => value === "" ? "(empty text)" : String(value)), "all others", "missing"];
  const { type } = columnsOf(state.model).find(({ name }) => name === column) || {};
  if (type === "bool" && edges.length === 1) return ["false", "true", "missing"];
  const whole = measure === "length" || (measure === "value" && type === "int64");
  const last = edges.length - 1, upper = (edge) => whole ? Math.floor(edge) : edge, lower = (edge) => whole ? Math.floor(edge) + 1 : edge;
  const between = (low, high) => low === high ? short(low) : `${short(low)} to ${short(high)}`;
  if (last < 0) return ["any number", "missing"];
  return [`up to ${short(upper(edges[0]))}`, ...edges.slice(1).map((edge, index) => between(lower(edges[index]), upper(edge))),
    `${whole ? "from" : "above"} ${short(lower(edges[last]))}`, "missing"];
}

function refusals({ refused }) {
  const every = Object.entries(refused).sort((a, b) => b[1] - a[1]);
  const sum = every.reduce((rows, [, count]) => rows + count, 0);
  return sum ? fold("refused", `${grouped(sum)} refused`, table("Refused, by reason", ["reason", "times"], every.map(([reason, count]) => [reason, figure(count)]))) : null;
}
