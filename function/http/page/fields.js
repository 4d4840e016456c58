// -------- fields

/** A field: `read` gives its cell as JSON text, `write` takes a cell. */
function makeField(column, index) {
  const id = `field-${index}`, hint = `hint-${index}`;
  const shared = { id, "aria-describedby": hint, ...AS_TYPED };
  const kind = KINDS.find(([fits]) => fits(column))[1];
  const made = kind(column, shared);
  const empty = column.nullable && state.model.task !== "recommendation" ? "may\u00a0be\u00a0empty" : "";
  const usual = [column.description, [usualText(column), empty].filter(Boolean).join(", ")].filter(Boolean).join(" \u00b7 ");
  const note = el("p", { class: "hint", id: hint }, unbroken(usual));
  const box = el("div", { class: made.broad ? "field broad" : "field" },
    el("label", { for: id }, column.name, column.unit ? [" ", el("small", {}, `in ${column.unit}`)] : null), made.parts, note);
  const mark = (text, odd = false) => {
    made.control.setAttribute("aria-invalid", text && !odd ? "true" : "false");
    note.className = text ? odd ? "hint odd" : "hint wrong" : "hint";
    box.classList.toggle("odd", odd);
    note.replaceChildren(...unbroken(text || usual));
    if (text) box.hidden = false;
  };
  box.addEventListener("input", () => { mark(""); stale(); });
  return { ...made, column, box, mark };
}

function usualText(column) {
  const { quantiles, frequent } = column.about, parts = [];
  if (column.type === "image" && column.image) parts.push(`scaled to ${column.image.width} by ${column.image.height} pixels${column.image.mode === "L" ? ", grey" : ""}`);
  if (column.cell) parts.push(`lists of ${column.cell.map((size) => typeof size === "number" ? size : `1 to ${column.longest}`).join(" by ")}`);
  const usual = (value) => short(Number(tidied(column, value)));
  if (quantiles && !frequent) parts.push(`mostly ${usual(quantiles[0])} to ${usual(quantiles[quantiles.length - 1])}`);
  if (near(column.minimum)) parts.push(`at least ${short(column.minimum)}`);
  if (near(column.maximum)) parts.push(`at most ${short(column.maximum)}`);
  return parts.join(", ");
}

const near = (bound) => typeof bound === "number" && Math.abs(bound) < 1e15; // farther ones say nothing

const KINDS = [
  [(column) => column.type === "image", imageField],
  [(column) => column.type === "date", dateField],
  [(column) => column.cell, listField],
  [(column) => column.type === "bool" || column.categories || (column.about.frequent || []).length > 0, choiceField],
  [(column) => column.type === "string", textField],
  [() => true, numberField],
];

/** Nested lists, as JSON: what is none goes as text, and is refused by the server in its own words. */
function listField(column, shared) {
  const control = el("textarea", { ...shared, rows: 4 });
  return {
    control, broad: true, parts: [control],
    read: () => { try { JSON.parse(control.value); return control.value.trim(); } catch { return JSON.stringify(control.value); } },
    write: (cell) => { control.value = typeof cell === "string" ? cell : JSON.stringify(cell); },
  };
}

function choiceField(column, shared) {
  const known = column.categories || (column.type === "bool" ? [true, false] : column.about.frequent);
  const open = !column.categories && column.type !== "bool";
  const cells = [...known], numeric = isNumber(column);
  if (column.nullable && !cells.includes(null)) cells.push(null);
  const options = cells.map((cell, index) => el("option", { value: index }, cell === null ? "— missing —" : cell === "" ? "(empty text)" : String(cell)));
  if (open) options.push(el("option", { value: "other" }, "another value…"));
  const control = el("select", shared, options);
  const other = el("input", { class: "other", hidden: true, "aria-label": `${column.name}: another value`, ...AS_TYPED });
  const toggle = () => { other.hidden = control.value !== "other"; };
  control.addEventListener("change", () => { toggle(); if (!other.hidden) other.focus(); else live(); });
  return {
    control, parts: open ? [control, other] : [control],
    read: () => control.value === "other" ? numeric ? sentNumber(other.value, column) : JSON.stringify(other.value) : control.value === "" ? "null" : JSON.stringify(cells[Number(control.value)]),
    write: (cell) => {
      const index = cells.indexOf(cell);
      if (index < 0 && open && cell !== null) { control.value = "other"; other.value = cell; }
      else control.value = String(Math.max(index, 0));
      toggle();
    },
  };
}

function textField(column, shared) {
  const control = el("textarea", { ...shared, rows: 4 });
  const missing = el("input", { type: "checkbox" });
  missing.addEventListener("change", () => { control.disabled = missing.checked; });
  return {
    control, broad: true,
    parts: column.nullable ? [control, el("label", { class: "check" }, missing, "missing")] : [control],
    read: () => missing.checked ? "null" : JSON.stringify(control.value),
    write: (cell) => { missing.checked = cell === null; control.disabled = missing.checked; control.value = cell === null ? "" : String(cell); },
  };
}

/** The browser's own field for dates; in a zone it holds UTC, and other forms are text. */
function dateField(column, shared) {
  const picked = !column.format, zone = column.zone ? "Z" : "";
  const control = el("input", picked ? { ...shared, type: "datetime-local", step: 1 }
    : { ...shared, placeholder: column.nullable ? "missing" : column.format });
  return {
    control, parts: zone ? [control, el("span", { class: "hint" }, "UTC")] : [control],
    read: () => control.value === "" ? "null" : JSON.stringify(control.value + (picked ? zone : "")),
    write: (cell) => {
      const text = cell === null ? "" : String(cell);
      const moment = zone && text ? new Date(text) : null;
      control.value = moment && !isNaN(moment) ? moment.toISOString().slice(0, 19)
        : picked && /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : picked ? text.replace(" ", "T") : text;
    },
  };
}

// The text goes as it was typed: no digit of a long number is lost, and what is no number is
// refused by the server itself, with its own words.
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/;

function sentNumber(cell, column) {
  const typed = bare(cell.trim(), column).replace("\u2212", "-").replace(/^\+/, ""), text = COMMA.test(typed) ? pointed(typed) : typed;
  return text === "" ? "null" : NUMBER.test(text) ? text : JSON.stringify(text);
}

function numberField(column, shared) {
  const control = el("input", { ...shared, inputmode: column.type === "int64" ? "numeric" : "decimal",
    placeholder: !column.nullable ? null : state.model.task === "recommendation" ? "not rated" : "missing" });
  const slide = slider(column, control);
  return {
    control, parts: slide ? [control, slide] : [control],
    read: () => sentNumber(control.value, column),
    write: (cell) => { control.value = cell === null ? "" : typeof cell === "string" ? cell : String(cell); if (slide) slide.value = control.value; },
  };
}

/** For the mouse: the box beside it does all that it does. */
function slider(column, control) {
  const { quantiles } = column.about;
  if (!quantiles || !(quantiles[quantiles.length - 1] > quantiles[0]) || columnsOf(state.model).length > WIDE) return null;
  const [low, high] = [quantiles[0], quantiles[quantiles.length - 1]];
  const [least, most] = [reach(low, low - (high - low) / 2, column), reach(high, high + (high - low) / 2, column)];
  const made = el("input", { class: "slide", type: "range", min: least, max: most, tabindex: "-1", "aria-hidden": "true",
    step: column.type === "int64" ? 1 : stepOf(high - low) });
  made.style.setProperty("--from", (low - least) / (most - least));
  made.style.setProperty("--to", (high - least) / (most - least));
  made.addEventListener("input", () => { control.value = tidy(Number(made.value), column, high - low); live(); });
  control.addEventListener("input", () => { made.value = control.value; });
  return made;
}

/** How far a slider goes beyond an end of what is usual: as far as the column does, and not over 0. */
function reach(end, beyond, column) {
  const bound = within(column, end < 0 ? Math.min(beyond, 0) : Math.max(beyond, 0));
  return column.type === "int64" ? Math[beyond < end ? "floor" : "ceil"](bound) : bound;
}

const stepOf = (span) => 10 ** Math.floor(Math.log10(span) - 2);

/** A value with no more digits than its column's spread gives a meaning to. */
function tidy(value, column, span) {
  if (column.type === "int64") return String(Math.round(value));
  const places = Math.max(Math.ceil(2 - Math.log10(span)), 0);
  return String(Number(places > 12 || Math.abs(value) >= 1e15 ? value.toPrecision(3) : value.toFixed(places)));
}
