// -------- rows unlike the training rows

const OUTSIDE = { above: "above the training rows", below: "below the training rows", unseen: "in no training row", missing: "missing, as in no training row" };

/** What is outside in a column, and what is usual there, in words. */
function outsideText({ outside, usual }) {
  const ranged = outside === "above" || outside === "below" || (outside === "missing" && usual.length === 2 && typeof usual[0] === "number");
  const known = ranged ? `nine of ten have ${usual.map((each) => short(each)).join(" to ")}` : `frequent are ${some(usual.map(String), 5)}`;
  return OUTSIDE[outside] + (usual.length ? `; ${known}` : "");
}

/** Each reason why a row is unusual, in words; of the columns with their names. */
function reasonsOf(found) {
  const columns = Object.entries(found.columns).map(([name, about]) => [name, outsideText(about)]);
  const more = found.column_count - columns.length;
  if (more > 0) columns.push([null, `and ${plural(more, "further column")}`]);
  if (!columns.length || found.share <= 0.005) columns.push([null, found.share ? `The row as a whole: at most ${percent(found.share)} of training rows are as odd` : "The row as a whole: no training row is as odd"]);
  return columns;
}

/** Beside an answer that has nothing behind it: why, and what is withheld. */
function unlike(found) {
  if (!found) return null;
  return el("div", { class: "trouble unlike", role: "note" }, el("h3", {}, "Unlike the rows that it learned from"),
    el("ul", {}, reasonsOf(found).map(([name, text]) => el("li", {}, placeOf(name), sentence(text)))),
    el("p", {}, `${found.withheld ? `No ${found.withheld}: it would hold for rows like those. ` : ""}The prediction is the model\u2019s own all the same, and may be far off.`));
}

/** Marks the fields, and what stands over all: that a model is proven makes no such answer right. */
function markUnlike(model, found) {
  for (const field of state.fields) {
    const about = found && found.columns[field.column.name];
    if (about) field.mark(`Unusual: ${outsideText(about)}.`, true);
  }
  const proof = document.querySelector(".title .proof");
  if (!proof || !isProven(model)) return;
  proof.className = found ? "proof none" : "proof";
  proof.textContent = found ? "proven, but the row is unusual" : "✓ proven";
}
