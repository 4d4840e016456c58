// -------- answers that are no number and no label

const isBoxes = (model, value) => Array.isArray(value) && (typeOf(model).type === "boxes" || (value.length > 0 && value.every((box) => box && typeof box === "object" && "width" in box)));

/** The output beside a list of items: their distances, or the scores of what is recommended. */
const besideItems = (answer) => Array.isArray(answer.prediction[0]) ? ["distances", "score"].find((name) => Array.isArray(answer[name]) && Array.isArray(answer[name][0])) : undefined;

/** "2 faces", where all boxes have one label; "3 found" where they differ. */
function counted(boxes) {
  const labels = new Set(boxes.map(({ label }) => String(label)));
  return boxes.length === 0 ? "nothing found" : labels.size === 1 ? `${boxes.length} × ${[...labels][0]}` : `${boxes.length} found`;
}

/** The picture that was sent, with each box and its number on it, and the boxes as a list. */
function boxesOnPicture(boxes) {
  const picture = pictureSent(), shares = boxes.every(({ score }) => score >= 0 && score <= 1);
  const lines = boxes.map(({ label, score, x, y, width, height }, index) => el("li", { onpointerenter: () => draw(index), onpointerleave: () => draw(-1) },
    el("b", {}, `${index + 1} `), String(label), typeof score === "number" ? ` ${shares ? percent(score) : short(score, 3)}` : "",
    el("small", {}, `at ${[x, y].map((each) => short(Math.round(each))).join(", ")}, ${[width, height].map((each) => short(Math.round(each))).join(" by ")} pixels`)));
  const canvas = picture ? el("canvas", { class: "seen", role: "img", "aria-label": `The picture with ${plural(boxes.length, boxes.length === 1 ? "box" : "boxe")}; the list has each`,
    width: picture.canvas.width, height: picture.canvas.height }) : null;
  function draw(chosen) {
    if (!canvas) return;
    const pen = canvas.getContext("2d"), scale = canvas.width / picture.width, unit = Math.max(canvas.width, canvas.height) / 400;
    pen.drawImage(picture.canvas, 0, 0);
    boxes.forEach((box, index) => {
      const sides = [box.x, box.y, box.width, box.height].map((side) => side * scale);
      for (const [colour, wide] of [["#000", 4], [index === chosen ? "#ffd34d" : "#7ff0e4", 2]]) { // seen on light and dark
        pen.strokeStyle = colour; pen.lineWidth = wide * unit * (index === chosen ? 1.5 : 1);
        pen.strokeRect(...sides);
      }
      pen.font = `600 ${12 * unit}px sans-serif`;
      const text = `${index + 1} ${box.label}`, [left, top] = sides, long = pen.measureText(text).width + 8 * unit;
      const above = top > 18 * unit ? top - 17 * unit : top;
      pen.fillStyle = "#000"; pen.fillRect(left, above, long, 17 * unit);
      pen.fillStyle = "#fff"; pen.fillText(text, left + 4 * unit, above + 13 * unit);
    });
  }
  draw(-1);
  return [canvas, lines.length ? el("ol", { class: "found", "aria-label": "Boxes" }, lines) : null];
}

/** Items, best first: bars of distances, where longer is farther, or of scores. */
function itemList(items, numbers, name) {
  const largest = Math.max(...numbers.map(Math.abs), 1e-300), far = name === "distances";
  if (byId("k")) byId("k").value = state.k || items.length;
  const lines = items.map((item, index) => item === null ? null : shareLine(numbers[index] / largest, item, short(numbers[index], 4)));
  return [el("ol", { class: "bars near", "aria-label": far ? "Nearest, with their distances" : "Best, with their scores" }, lines),
    el("p", { class: "hint" }, far ? "Each with its distance; the nearest comes first." : "Each with its score; the best comes first.")];
}

/** The text that was sent, the chosen sentences marked where they stand. */
function sentencesInText(sentences) {
  const field = state.fields.find(({ column }) => column.type === "string");
  const whole = field ? JSON.parse(field.read()) || "" : "";
  const parts = [];
  let done = 0;
  for (const sentence of sentences) {
    const at = whole.indexOf(sentence, done);
    if (at < 0) continue;
    parts.push(whole.slice(done, at), el("mark", { class: "chosen" }, sentence));
    done = at + sentence.length;
  }
  return parts.length ? el("div", { class: "tokens" }, el("h3", { class: "label" }, "Where they stand"), el("p", { class: "text" }, parts, whole.slice(done))) : null;
}

// -------- heat: what each part of a picture adds

/** The contributions of a picture's tiles, rows of them; null where there are none. */
function tilesOf(first, name) {
  const known = (first.tiles || {})[name];
  return known && known.contributions.length ? known.contributions : null;
}

/** Blue raises the answer, orange lowers it: two colours that all can tell apart. */
function heatMap(name, tiles, at, plus) {
  const rows = tiles.map((row) => row.map(at)), largest = Math.max(...rows.flat().map(Math.abs), 1e-300);
  const picture = pictureSent(name), canvas = el("canvas", { class: "seen", role: "img", "aria-label": `What each part of ${name} adds; the table has the numbers`,
    width: picture ? picture.canvas.width : 40 * rows[0].length, height: picture ? picture.canvas.height : 40 * rows.length });
  const pen = canvas.getContext("2d");
  if (picture) { pen.filter = "grayscale(1) contrast(0.6) brightness(1.15)"; pen.drawImage(picture.canvas, 0, 0); pen.filter = "none"; }
  const edge = (index, count, size) => Math.round(index * size / count);
  rows.forEach((row, down) => row.forEach((value, across) => {
    const [left, top] = [edge(across, row.length, canvas.width), edge(down, rows.length, canvas.height)];
    pen.fillStyle = `rgb(${value < 0 ? "230 97 1" : "20 90 200"} / ${(0.8 * Math.abs(value) / largest).toFixed(3)})`;
    pen.fillRect(left, top, edge(across + 1, row.length, canvas.width) - left, edge(down + 1, rows.length, canvas.height) - top);
  }));
  return el("figure", { class: "heat" }, el("figcaption", { class: "label" }, name), canvas,
    el("div", { class: "key", "aria-hidden": "true" }, el("span", {}, `${plus(-largest)} lowers`), el("i", {}), el("span", {}, `raises ${plus(largest)}`)),
    fold("heat", "Numbers", rolls("Contributions of parts",
      table(`What each part of ${name} adds`, ["", ...rows[0].map((_, index) => `column ${index + 1}`)], rows.map((row, index) => [`row ${index + 1}`, ...row.map(plus)])))));
}
