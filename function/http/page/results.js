// -------- the answers of a whole file, to look at

const SHOWN_ROWS = 50; // at first, and so many more each time
const FEW_CLASSES = 10; // of which the page shows who was taken for whom

/** What was answered, as a table and as a file that is saved at once; what was not, and how good it was. */
function showTable(box, table, name, model) {
  const whole = table.done === table.rows.length, done = table.rows.slice(0, table.done);
  const answered = done.filter((row) => row.answer && row.answer.prediction !== null && !row.problem).length;
  const said = whole ? `${plural(answered, "row")} answered` : `Cancelled: ${grouped(table.done)} of ${plural(table.rows.length, "row")} were sent`;
  const left = table.rows.length - answered, problems = problemsOf(table);
  const save = (rows) => {
    const file = URL.createObjectURL(new Blob(written(table, rows), { type: "text/csv" }));
    el("a", { href: file, download: `${name.replace(/\.\w+$/, "")}-answers.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(file), 60_000);
  };
  box.replaceChildren(el("p", {}, el("b", {}, `${said}.`)), ...howGood(table, model), unlikeRows(table),
    table.ignored.length ? el("p", { class: "hint" }, `Not sent: ${some(table.ignored, 8)}`) : "",
    problems.length ? el("div", { class: "trouble" }, el("h3", {}, `${plural(left, "row")} without an answer`),
      el("ul", { tabindex: "0", "aria-label": "Problems" }, problems.slice(0, LISTED).map((parts) => el("li", {}, parts))),
      el("p", {}, `${problems.length > LISTED ? `The first ${LISTED}; the` : "The"} column "problem" of the file has them. Row ${table.head.row} is the header.`)) : "",
    done.length ? answersTable(table, done, model, save) : "");
  say(`${said}. ${table.count ? plural(left, "row") + " without an answer" : ""}`);
  if (whole) save(done);
}

/** Each problem once, with the rows that have it: that of a whole column is one. */
function problemsOf({ problems, rows }) {
  const place = (found) => found.length === 1 ? `Row ${rows[found[0]].row}` : found.length === rows.length ? `All ${plural(rows.length, "row")}`
    : `${plural(found.length, "row")} (${some(found.slice(0, 6).map((at) => rows[at].row), 5)})`;
  return [...problems.values()].sort((a, b) => a.rows[0] - b.rows[0]).map(({ rows: found, column, detail, same }) =>
    [place(found), column === null ? "" : [", ", el("bdi", {}, column)], `: ${detail}${same ? "" : ", and others"}`]);
}

/** How many rows are unlike the training rows. */
function unlikeRows({ rows }) {
  const found = rows.filter(({ answer }) => answer && answer.unusual).length;
  return found ? el("p", { id: "unlike" }, el("b", {}, `${plural(found, "row")} unlike those that it learned from.`), ' The column "unusual" of the file says why; these have no interval or set.') : "";
}

/** The columns that the model predicts: the target, or of several outputs each. */
const targetsOf = (model) => model.output_names || [model.target || ""];
const placesIn = ({ head }, names) => names.map((name) => name ? head.cells.findIndex((cell) => normal(cell) === normal(name)) : -1);

/** How good the answers were, where the file has what is right: the manifest's own measures, with their values at build. */
function howGood(table, model) {
  const targets = targetsOf(model), several = targets.length > 1;
  return placesIn(table, targets).flatMap((at, index) => {
    const pairs = at < 0 ? [] : table.rows.filter(({ answer, cells }) => answer && answer.prediction !== null && (cells[at] || "").trim() !== "")
      .map(({ answer, cells }) => [several ? answer.prediction[index] : answer.prediction, cells[at].trim()]);
    if (!pairs.length || pairs[0][0] === null || typeof pairs[0][0] === "object") return [];
    const [scores, count, confusion] = model.task === "regression" ? errorsOf(pairs, table) : rightOf(pairs, table);
    const built = (name, show) => !several && (model.metrics || {})[name] ? ` (${show(model.metrics[name].model)} at build)` : "";
    const said = scores.map(([title, name, value, show]) => `${title}: ${show(value)}${built(name, show)}`).join("; ");
    return count ? [el("p", { class: "how-good" }, unbroken(`${said}, on ${plural(count, "row")} with `), el("bdi", {}, targets[index])), confusion] : [];
  });
}

const isNumber = ({ type }) => /^(int|float)/.test(type);
const pointed = (text) => text.replaceAll(".", "").replace(",", ".");
const numberOf = (text, { decimal }) => Number(decimal === "," ? pointed(text) : text);

/** The mean absolute error, and the share of variance that is explained. */
function errorsOf(pairs, table) {
  const numbers = pairs.map(([got, right]) => [got, numberOf(right, table)]).filter(([, right]) => Number.isFinite(right));
  const mean = (of) => numbers.reduce((sum, pair) => sum + of(pair), 0) / numbers.length, middle = mean(([, right]) => right);
  const variance = mean(([, right]) => (right - middle) ** 2), off = mean(([got, right]) => Math.abs(got - right));
  const r2 = variance ? [["R\u00b2", "r2", 1 - mean(([got, right]) => (got - right) ** 2) / variance, (value) => short(value, 3)]] : [];
  return [[["Mean absolute error", "mean_absolute_error", off, (value) => short(value, 4)], ...r2], numbers.length, ""];
}

/** The share of right labels, and of few classes which were taken for which. */
function rightOf(pairs, file) {
  const same = (got, right) => typeof got === "number" ? got === numberOf(right, file) : typeof got === "boolean" ? String(got) === right.toLowerCase() : got === right;
  const known = new Set(pairs.map(([got]) => got));
  const named = pairs.map(([got, right]) => [String(got), String([...known].find((each) => same(each, right)) ?? right)]);
  const labels = [...new Set(named.flat())].sort((a, b) => compared(rankOf(a), rankOf(b))), right = named.filter(([got, truth]) => got === truth).length;
  const counts = new Map();
  for (const pair of named) counts.set(JSON.stringify(pair), (counts.get(JSON.stringify(pair)) || 0) + 1);
  const confusion = labels.length > FEW_CLASSES ? "" : rolls("Confusion matrix",
    table("True labels, and as which they were answered", ["true \\ answered", ...labels], labels.map((truth) => [truth, ...labels.map((got) => grouped(counts.get(JSON.stringify([got, truth])) || 0))]), "confusion"));
  return [[["Accuracy", "accuracy", right / named.length, percent]], named.length, confusion];
}

/** Numbers come before texts, and what is missing last. */
const rankOf = (value) => value === null || value === undefined || value === "" ? [2, ""] : typeof value !== "boolean" && Number.isFinite(Number(value)) ? [0, Number(value)] : [1, String(value)];
const compared = (a, b, sign = 1) => (a[0] === 2 || b[0] === 2 ? 1 : sign) * (a[0] - b[0] || (a[1] < b[1] ? -1 : Number(a[1] > b[1])));

/** Whether a cell has what was typed: a text in it, or by < and > a number. */
function matcher(typed) {
  const [, sign, bound] = /^([<>]=?)\s*(-?[\d.]+(?:e[-+]?\d+)?)$/i.exec(typed.trim()) || [], number = Number(bound), part = typed.trim().toLowerCase();
  if (!sign) return (cell) => String(cell ?? "").toLowerCase().includes(part);
  return (cell) => rankOf(cell)[0] === 0 && (sign.length > 1 && Number(cell) === number || (sign[0] === "<" ? Number(cell) < number : Number(cell) > number));
}

/** Row after row with its answer beside it: sorted by a column, and those that hold what is typed. */
function answersTable(table, done, model, save) {
  const targets = placesIn(table, targetsOf(model));
  // Numbers are what the model takes or predicts as such: a postcode, an id or a date stays as it is written.
  const numeric = new Set([...table.taken.filter(isNumber).map(({ index }) => index), ...(model.task === "regression" ? targets : [])]);
  const own = table.head.cells.map((name, at) => [name, ({ cells }) => {
    const text = (cells[at] || "").trim(), number = text === "" || !numeric.has(at) ? NaN : numberOf(text, table);
    return Number.isFinite(number) ? number : text;
  }]);
  const isTarget = (column) => targets.includes(own.indexOf(column));
  const columns = [["row", ({ row }) => row], ...answerColumns(table), ...[...own].sort((a, b) => isTarget(b) - isTarget(a)).slice(0, WIDE)];
  let by = null, down = false, rows = done, most = SHOWN_ROWS;
  const text = (value) => value === null || value === undefined || value === "" ? "\u2013" : typeof value === "number" ? short(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
  const where = el("select", { "aria-label": "Column to filter", onchange: () => arrange() }, el("option", { value: -1 }, "any column"), columns.map(([name], index) => el("option", { value: index }, name)));
  const box = el("input", { type: "search", id: "sift", "aria-label": "Filter the rows", placeholder: "Filter by a text, or > 5", ...AS_TYPED, oninput: () => { clearTimeout(waited); waited = setTimeout(arrange, 150); } });
  const kinds = columns.map(([, of]) => done.slice(0, SHOWN_ROWS).some((row) => typeof of(row) === "number") ? "number" : "text");
  const heads = columns.map(([name], index) => el("th", { scope: "col", class: kinds[index] }, button({ class: "plain", onclick: () => { [by, down] = by === index && down ? [null, false] : [index, by === index]; arrange(); } }, el("bdi", {}, name))));
  const body = el("tbody", {}), count = el("p", { class: "hint", role: "status" });
  const more = button({ class: "plain", onclick: () => { most += SHOWN_ROWS; draw(); } }, "Show more");
  const saver = button({ id: "save", onclick: () => save(rows) });
  let waited = 0;

  function arrange() {
    const fits = matcher(box.value), at = Number(where.value), looked = at >= 0 ? [columns[at]] : /^\s*[<>]/.test(box.value) ? [columns[1]] : columns;
    rows = box.value.trim() ? done.filter((row) => looked.some(([, of]) => fits(of(row)))) : done;
    if (by !== null) {
      const ranks = new Map(rows.map((row) => [row, rankOf(columns[by][1](row))]));
      rows = [...rows].sort((a, b) => compared(ranks.get(a), ranks.get(b), down ? -1 : 1));
    }
    most = SHOWN_ROWS;
    draw();
  }
  function draw() {
    heads.forEach((head, index) => head.setAttribute("aria-sort", index !== by ? "none" : down ? "descending" : "ascending"));
    body.replaceChildren(...rows.slice(0, most).map((row) => el("tr", { class: row.problem ? "failed" : row.answer && row.answer.unusual ? "odd" : null }, columns.map(([, of], index) => {
      const value = of(row);
      return el("td", { class: kinds[index], dir: "auto", title: value }, text(value));
    }))));
    count.textContent = `${grouped(Math.min(most, rows.length))} of ${plural(rows.length, "row")}${rows.length < done.length ? ` that fit, of ${grouped(done.length)}` : ""}`;
    saver.textContent = rows === done ? "Save the file" : rows.length === done.length ? "Save in this order" : rows.length === 1 ? "Save this row" : `Save these ${plural(rows.length, "row")}`;
    saver.disabled = !rows.length;
    more.hidden = rows.length <= most;
  }
  draw();
  return el("div", { class: "answers" }, el("div", { class: "tools" }, where, box, saver),
    rolls("Answers", el("table", { class: "figures" }, el("caption", { class: "sr" }, "Rows with their answers"), el("thead", {}, el("tr", {}, heads)), body)), count, more);
}
