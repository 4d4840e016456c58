// -------- a whole file: CSV in, CSV with answers out

const FIRST_PIECE = 200; // rows of the first request; the next ones are as long as they stay quick
const QUICK = 400, SLOW = 2000; // milliseconds
const TRIES = 6; // of one piece
const LISTED = 100; // problems, of all rows that have one
const MOST_COLUMNS = 20; // that one output becomes
const SEPARATORS = [",", ";", "\t", "|"];
const ABOVE = 20; // records that are looked at for the header
// Numbers whose point or comma can't part thousands, and those whose may: as function/csv/layout.py has them.
const POINT = /^[+-]?(\d*\.(\d{1,2}|\d{4,})|0?\.\d+|\d{1,3}(,\d{3})+\.\d+)$/;
const COMMA = /^[+-]?(\d*,(\d{1,2}|\d{4,})|0?,\d+|\d{1,3}(\.\d{3})+,\d+)$/;
const EITHER = /^[+-]?[1-9]\d{0,2}(\.\d{3}|,\d{3})$/;

function tableBox(model) {
  const box = el("div", { id: "whole" });
  const chooser = el("input", { id: "file", type: "file", accept: ".csv,.tsv,.txt,text/csv", "aria-describedby": "file-hint",
    onchange: () => { if (chooser.files[0]) answerFile(chooser.files[0], model); chooser.value = ""; } });
  return el("section", { class: "card whole", "aria-labelledby": "whole-title" }, el("h2", { id: "whole-title" }, "A whole file"),
    el("p", { class: "quiet", id: "file-hint" }, "Drop a CSV file on this page, or choose one, as your spreadsheet saves it. It is sent in pieces, and comes back with the answers beside its rows."),
    el("div", { class: "tools" }, el("label", { class: "sr", for: "file" }, "A CSV file"), chooser), box);
}

/** Answer every row of a file; one at a time, and the file of the model that is left is given up. */
async function answerFile(file, model) {
  const box = byId("whole"), control = new AbortController();
  abandon();
  state.ending.push(() => control.abort());
  try {
    const table = await readTable(file, columnsOf(model));
    const bar = el("progress", { max: table.rows.length, value: 0, "aria-label": `Rows of ${file.name}` });
    const count = el("p", { class: "hint" }, `0 of ${plural(table.rows.length, "row")}`);
    box.replaceChildren(bar, count, el("div", { class: "actions" }, button({ id: "cancel", onclick: () => control.abort() }, "Cancel")));
    box.scrollIntoView({ block: "nearest" });
    say(`${file.name}: ${plural(table.rows.length, "row")}`);
    await answerPieces(table, model, control.signal, (done) => {
      bar.value = done;
      count.textContent = `${grouped(done)} of ${plural(table.rows.length, "row")}`;
    });
    if (box.isConnected) showTable(box, table, file.name, model);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.status === 401) { showGate(error); return; }
    if (!box.isConnected) return;
    box.replaceChildren(trouble(error, "h3"));
    say(error.problem.detail || error.problem.title);
  }
}

const unread = (title, detail) => new Trouble(0, { title, detail });

/** The text of a file, its separator, the columns that the model takes, and its rows as they stand. */
async function readTable(file, columns) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : null;
  const text = decoded(bytes, wide);
  const known = new Map(columns.map((column) => [normal(column.name), column]));
  const matching = ({ cells }) => cells.filter((name) => known.has(normal(name))).length;
  const [separator, at, head] = SEPARATORS.flatMap((each) => records(text, each, ABOVE).map((record, at) => [each, at, record]))
    .reduce((best, each) => matching(each[2]) > matching(best[2]) ? each : best, [",", 0, { cells: [] }]);
  if (!matching(head)) throw unread("No line names a column of the model", `Expected a header such as ${some(columns.map(({ name }) => name), 5)}`);
  const every = records(text, separator), again = JSON.stringify(head.cells);
  const rows = every.slice(at + 1).filter(({ cells }) => cells.some((cell) => cell.trim()) && (cells.length < 2 || JSON.stringify(cells) !== again));
  if (!rows.length) throw unread("The file has no rows", "Expected at least one below the header");
  const taken = head.cells.flatMap((name, index) => known.has(normal(name)) ? [{ index, ...known.get(normal(name)) }] : []);
  const lacking = columns.filter(({ name, absent }) => !absent && !taken.some((one) => one.name === name)).map(({ name }) => name);
  if (lacking.length) throw unread(`The file lacks ${lacking.length === 1 ? "the column" : plural(lacking.length, "column")} ${some(lacking, 8)}`, `Its columns are ${some(head.cells, 12)}. Name the missing ones in the header; where values may be empty, leave the cells empty`);
  return { separator, head, rows, taken, decimal: decimalOf(rows, taken, separator), above: every.slice(0, at),
    marked: Boolean(wide) || (bytes[0] === 0xef && bytes[1] === 0xbb),
    ignored: head.cells.filter((name) => !known.has(normal(name))), problems: new Map(), count: 0, done: 0, places: new Map(rows.map((row, index) => [row, index])) };
}

/** Text in UTF-8 or UTF-16, else in Windows' Western letters, unless it is UTF-8 but for a few bytes. */
function decoded(bytes, wide) {
  try { return new TextDecoder(wide || "utf-8", { fatal: true }).decode(bytes); } catch {
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw unread("This is a workbook, or packed", "Save its sheet as CSV: File, Save as, CSV UTF-8. On a command line, onnxlet score reads workbooks");
    const letters = [...new TextDecoder("utf-8").decode(bytes).matchAll(/[^\x00-\x7f]/g)], broken = letters.filter(([each]) => each === "\ufffd").length;
    if (wide || letters.length > 2 * broken) throw unread("The file is damaged: not all of it is text", "Save it once more");
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

const normal = (name) => name.trim().normalize("NFC");

/** What stands before decimals in columns of numbers. */
function decimalOf(rows, taken, separator) {
  const cells = taken.filter(isNumber).flatMap((column) => rows.map((row) => bare(row.cells[column.index] || "", column).trim()));
  if (cells.some((cell) => COMMA.test(cell))) return ",";
  const either = separator === "," || cells.some((cell) => POINT.test(cell)) ? undefined : cells.find((cell) => EITHER.test(cell));
  if (either) throw unread(`${either} may be ${either.replace(/[.,]/, "")} or ${either.replace(",", ".")}`, "No number of the file says which: save it without points that part thousands");
  return ".";
}

/** Records by RFC 4180: each as it stands, its cells, its line end, and its row in a spreadsheet. Blank lines are none. */
function records(text, separator, most = Infinity) {
  const found = [];
  let at = 0;
  for (let row = 1; at < text.length && found.length < most; row += 1) {
    const start = at, cells = [];
    for (let more = true; more;) {
      let cell = "";
      if (text[at] === '"') {
        for (at += 1; at < text.length;) {
          const quote = text.indexOf('"', at), end = quote < 0 ? text.length : quote;
          cell += text.slice(at, end);
          at = end + 1;
          if (text[at] !== '"') break;
          cell += '"';
          at += 1;
        }
      }
      const from = Math.min(at, text.length);
      for (at = from; at < text.length && text[at] !== separator && text[at] !== "\n" && text[at] !== "\r";) at += 1;
      cells.push(cell + text.slice(from, at));
      more = text[at] === separator;
      at += more;
    }
    const raw = text.slice(start, at), end = text.startsWith("\r\n", at) ? "\r\n" : text.slice(at, at + 1);
    at += end.length;
    if (raw.trim()) found.push({ raw, cells, end, row });
  }
  return found;
}

const quoted = (text, separator) => text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** A cell; a number without the unit of its column. */
const bare = (cell, column) => column.unit && isNumber(column) ? cell.replace(column.unit, "").trim() : cell;

/** What is sent of a row: the model's columns, with commas between. */
function sentRow({ cells }, { taken }) {
  return taken.map((column) => quoted(bare(cells[column.index], column), ",")).join(",") || '""'; // a blank line would be no row
}

/** Row after row gets its answer; problems are kept with the row's number as spreadsheets count. */
async function answerPieces(table, model, signal, progress) {
  const header = table.taken.map(({ name }) => quoted(name, ",")).join(",");
  const query = queryOf(model), path = `${pathOf(model, "predict")}${query ? `${query}&` : "?"}on_error=null`;
  const fits = table.rows.filter((row, index) => {
    if (row.cells.length === table.head.cells.length) return true;
    note(table, index, null, `expected ${plural(table.head.cells.length, "field")}, got ${row.cells.length}`);
    return false;
  });
  let size = FIRST_PIECE, tries = 0;
  for (let done = 0; done < fits.length && !signal.aborted;) {
    const piece = fits.slice(done, done + Math.min(size, state.limits.rows));
    const body = [header, ...piece.map((row) => sentRow(row, table)), ""].join("\n");
    const start = performance.now();
    if (new TextEncoder().encode(body).length > state.limits.body_bytes && piece.length > 1) { size = Math.ceil(piece.length / 2); continue; }
    let answer;
    try {
      answer = await ask(path, body, { type: table.decimal === "," ? "text/csv; decimal=comma" : "text/csv", signal });
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof Trouble) || ![413, 503].includes(error.status) || ++tries >= TRIES) throw error;
      size = Math.ceil(piece.length / 2);
      await new Promise((ready) => setTimeout(ready, 1000 * Math.min(Number(error.retry) || 0, 10)));
      continue;
    }
    const outputs = Object.entries(answer).filter(([name, all]) => Array.isArray(all) && name !== "errors" && name !== "classes");
    piece.forEach((row, index) => { row.answer = Object.fromEntries(outputs.map(([name, all]) => [name, all[index]])); });
    for (const { row, column, detail } of answer.errors || []) note(table, table.places.get(piece[row]), column, detail);
    table.classes = answer.classes;
    done += piece.length; tries = 0;
    const took = performance.now() - start;
    size = took < QUICK ? 2 * piece.length : took > SLOW ? Math.ceil(piece.length / 2) : piece.length;
    table.done = done === fits.length ? table.rows.length : table.places.get(piece[piece.length - 1]) + 1;
    progress(table.done);
  }
  if (!fits.length) table.done = table.rows.length;
}

function note(table, index, column, detail) {
  table.count += 1;
  const row = table.rows[index];
  row.problem = [row.problem, column === null ? detail : `${column}: ${detail}`].filter(Boolean).join("; ");
  const kind = `${column}\n${detail.replace(/, got .*|^'.*?' is/s, "")}`, known = table.problems.get(kind) || { rows: [], column, detail, same: true };
  known.rows.push(index); known.same = known.same && known.detail === detail;
  table.problems.set(kind, known);
}

/** The lines of the file: each row as it stood, and its answer. What is not ASCII begins with a mark, for Excel. */
function written(table, rows) {
  const { separator, head } = table, outputs = answerColumns(table);
  const names = outputs.map(([name]) => {
    let free = name;
    for (let number = 2; head.cells.includes(free); number += 1) free = `${name}_${number}`;
    return free;
  });
  const text = (value) => typeof value === "number" && table.decimal === "," ? String(value).replace(".", ",") : String(value);
  const cell = (value) => quoted(value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : text(value), separator);
  const line = ({ raw, cells }, more) => raw + separator.repeat(Math.max(head.cells.length - cells.length, 0)) + more.map((each) => separator + cell(each)).join("") + (head.end || "\n");
  const lines = [...table.above.map(({ raw, end }) => raw + end), line(head, names), ...rows.map((row) => line(row, outputs.map(([, of]) => of(row))))];
  return [table.marked || lines.some((each) => /[^\x00-\x7f]/.test(each)) ? "\ufeff" : "", ...lines];
}

/** The columns that are appended, and why a row has no answer. */
const answerColumns = (table) => [...outputsOf(table), ...(table.count ? [["problem", (row) => row.problem]] : [])];

/** Those of answers, by what the first answered row has. */
function outputsOf({ rows, classes }) {
  const answered = rows.filter((row) => row.answer && row.answer.prediction !== null);
  const sample = answered.find(({ answer }) => !answer.unusual) || answered[0]; // an unusual one has no interval
  if (!sample) return [["prediction", () => null]];
  const names = state.model.output_names || [];
  return Object.entries(sample.answer).flatMap(([name, value]) => {
    const of = (row) => row.answer ? row.answer[name] : null, at = (index) => (row) => (of(row) || [])[index];
    const flat = Array.isArray(value) && value.length <= MOST_COLUMNS && value.every((each) => each === null || typeof each !== "object");
    if (name === "unusual") return answered.every(({ answer }) => !answer.unusual) ? [] : [[name, (row) => of(row) && reasonsOf(of(row)).map(([column, text]) => column ? `${column}: ${text}` : text).join(". ")]];
    if (name === "interval" && flat) return [["low", at(0)], ["high", at(1)]];
    if (name === "set" && flat) return [["set", (row) => of(row) && of(row).join("; ")]];
    if (name === "probabilities" && flat && classes && classes.length === value.length) return classes.map((label, index) => [`probability ${label}`, at(index)]);
    if (name === "probabilities" && classes && !Array.isArray(value[0])) return [["probability", (row) => of(row) && Math.max(...of(row))]];
    return flat && name !== "positions" && typeof value[0] === "number" ? value.map((_, index) => [names.length === value.length ? `${name} ${names[index]}` : `${name}_${index + 1}`, at(index)]) : [[name, of]];
  });
}
