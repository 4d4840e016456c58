// -------- examples and pasted rows

const RATED = 4; // items, of a user who is made up
const PASTED = "A row of CSV or of a spreadsheet, in the order of the columns or with a header, or JSON";

/** What is most usual in a column: its median, or its most frequent value. */
function typicalCell(column) {
  const { median, frequent } = column.about;
  if (column.cell) return column.cell.reduceRight((inner, size) => Array(typeof size === "number" ? size : Math.min(3, column.longest)).fill(inner),
    column.type === "bool" ? false : within(column, 0));
  if (column.categories) return (frequent || []).find((value) => column.categories.includes(value)) ?? column.categories[0] ?? null;
  if (frequent && frequent.length) return frequent[0];
  if (median !== undefined) return tidied(column, within(column, median));
  if (column.about.example !== undefined) return column.about.example;
  return { string: "a few words of text", bool: false }[column.type] ?? within(column, 0);
}

const within = (column, value) => Math.min(Math.max(value, column.minimum ?? value), column.maximum ?? value);

const tidied = (column, value) => {
  const { quantiles } = column.about;
  if (!quantiles) return column.type.startsWith("float") ? Number(value.toPrecision(6)) : value;
  return tidy(value, column, quantiles[quantiles.length - 1] - quantiles[0] || 1);
};

/** Something usual, made up: between two quantiles, or one of the frequent values. */
function variedCell(column) {
  const { quantiles, frequent } = column.about;
  const known = column.categories || (frequent && frequent.length ? frequent : column.type === "bool" ? [true, false] : null);
  if (known) return known[Math.floor(known.length * Math.random() ** 1.6)];
  if (!quantiles) return typicalCell(column);
  const at = Math.random() * (quantiles.length - 1), low = Math.floor(at);
  const value = quantiles[low] + (at - low) * (quantiles[Math.min(low + 1, quantiles.length - 1)] - quantiles[low]);
  return tidied(column, within(column, value));
}

const varies = ({ type, categories, about }) => (type !== "string" && type !== "image") || Boolean(categories || (about.frequent || []).length);

function another() {
  fill(madeUp(state.fields.map(({ column }) => column), variedCell));
  predict();
}

/** A cell for each column; of items to rate there are a few, since only others can be recommended. */
function madeUp(columns, cellFor) {
  if (state.model.task !== "recommendation") return columns.map(cellFor);
  const varied = cellFor === variedCell, cells = columns.map(() => null);
  for (let number = 0; number < RATED; number += 1) {
    const index = Math.floor(columns.length * (varied ? Math.random() : number / RATED)), column = columns[index];
    cells[index] = (varied && column.about.quantiles ? null : number % 2 ? column.minimum : column.maximum) ?? cellFor(column);
  }
  return cells;
}

function fill(cells) {
  state.fields.forEach((field, index) => { if (cells[index] !== undefined) { field.write(cells[index]); field.mark(""); } });
  stale();
  showCalls();
}

function pasteBox(columns, wide) {
  const area = el("textarea", { id: "paste", rows: 3, spellcheck: "false", "aria-describedby": "paste-hint",
    placeholder: columns.slice(0, 3).map((column) => String(typicalCell(column) ?? "")).join(",") + (columns.length > 3 ? ",…" : "") });
  const note = el("p", { class: "hint", id: "paste-hint" }, PASTED);
  area.addEventListener("input", () => {
    const said = pasted(area.value, columns);
    note.className = typeof said === "string" && area.value.trim() ? "hint wrong" : "hint";
    note.textContent = typeof said === "string" ? said : "The fields are filled.";
    if (typeof said !== "string") fill(said);
  });
  return el("details", { class: "paste", open: wide }, el("summary", {}, "Paste a row"),
    el("label", { class: "sr", for: "paste" }, "A row as CSV or JSON"), area, note);
}

/** Cells in the order of the columns, or a text that says why not. */
function pasted(text, columns) {
  if (!text.trim()) return PASTED;
  if (/^\s*[[{]/.test(text)) return pastedJson(text, columns);
  const names = columns.map((column) => column.name), known = new Set([...names, ...(state.model.signature.ignored || [])]);
  const isHeader = (cells) => cells.every((name) => known.has(name.trim())) && cells.some((name) => names.includes(name.trim()));
  const read = SEPARATORS.map((separator) => [separator, ...records(text, separator).map(({ cells }) => cells)]);
  const [separator, ...lines] = read.find(([, first]) => isHeader(first) || first.length === names.length) || read[0];
  const header = isHeader(lines[0]) ? lines.shift().map((name) => name.trim()) : names, row = lines[0] || [];
  if (row.length !== header.length) return `Expected ${plural(header.length, "value")} with commas, semicolons or tabs between, got ${row.length}.`;
  const placed = columns.map((column) => ({ ...column, index: header.indexOf(column.name) }));
  try {
    const decimal = decimalOf([{ cells: row }], placed, separator);
    return placed.map((column) => column.index < 0 ? undefined : cellOf(row[column.index], column, decimal));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return `${error.problem.title}: write it without what parts thousands.`;
  }
}

function pastedJson(text, columns) {
  let row;
  try { row = JSON.parse(text); } catch (error) { return `Not JSON yet: ${error.message}`; }
  if (row && row.instances) row = row.instances;
  if (Array.isArray(row) && row[0] !== null && typeof row[0] === "object") row = row[0];
  if (!Array.isArray(row)) return columns.map((column) => row[column.name] ?? (column.absent ? null : undefined));
  return row.length === columns.length ? row : `Expected ${plural(columns.length, "value")}, got ${row.length}.`;
}

function cellOf(cell, column, decimal) {
  const text = bare(cell, column);
  if (text === "") return null;
  if (column.type === "bool") return { true: true, false: false }[text.trim().toLowerCase()] ?? text;
  return column.type === "string" ? text : decimal === "," && isNumber(column) ? pointed(text.trim()) : text.trim();
}
