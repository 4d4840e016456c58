// -------- the certificate

const isProven = (model) => Boolean(model.parity && model.parity.state !== "unverified");

function certificate(model) {
  const parity = model.parity || {}, proven = isProven(model);
  const lines = proven ? proof(model, parity) : [el("p", {}, `Nothing proves this model\u2019s answers${parity.reason ? `: ${parity.reason}` : ""}.`)];
  return el("section", { class: "card certificate", id: "certificate", tabindex: "-1", "aria-labelledby": "certificate-title" },
    el("h2", { id: "certificate-title" }, proven ? "Proven before it was served" : "Not proven"), lines, scores(model));
}

const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];

function proof(model, parity) {
  const rows = [`${plural(parity.held_out_rows, "row")} that it had ${parity.replayed ? "learned from, too" : "not learned from"}`];
  const drawn = (parity.drawn_rows || 0) + (parity.judging_rows || 0);
  if (drawn) rows.push(`${plural(drawn, "row")} drawn within the range of the data`);
  if (parity.hard_rows) rows.push(plural(parity.hard_rows, "edge case"));
  const differing = parity.differing_rows || 0;
  const largest = Object.values(parity.outputs || {}).map((off) => off.largest_relative).filter((off) => typeof off === "number");
  return [
    el("p", {}, `Where it was built, its answers were compared with ${parity.state ? "those of the framework it comes from" : "scikit-learn\u2019s own"}: ${new Intl.ListFormat("en").format(rows)}. `,
      el("b", {}, differing ? `${plural(differing, "answer")} differ.` : "None differs by more than is allowed.")),
    el("dl", { class: "facts" },
      largest.length ? fact("Largest difference", Math.max(...largest) ? `${signed(Math.max(...largest).toExponential(1))} of the value` : "none") : null,
      fact("Allowed", signed(Number(parity.tolerance).toExponential(0))),
      parity.reference ? fact("Compared with", reference(parity)) : null,
      parity.tied_rows ? fact("Ties", `${plural(parity.tied_rows, "row")} where either label is right`) : null,
      parity.undecided_rows ? fact("Undecided", `${plural(parity.undecided_rows, "row")} where the last digit of a sum decides`) : null,
      parity.batches ? fact("Rows beside it", beside(parity.batches)) : null,
      parity.recipe ? fact("Computed in", parity.recipe) : null)];
}

/** Which of scikit-learn's answers were met, and how far those in float32 are from them. */
function reference(parity) {
  const off = parity.float32;
  if (!off) return `scikit-learn in ${parity.reference}`;
  const largest = Math.max(0, ...Object.values(off.outputs).map((one) => one.largest_relative));
  return `scikit-learn in ${parity.reference}; its answers in float32 depend on rounding: ${plural(off.differing_rows, "row")} differ, ` +
    `and usual ones by up to ${signed(largest.toExponential(1))} of the value`;
}

/** What a row's answer owes to the rows that it comes with. */
function beside(batches) {
  if (typeof batches === "string") return "change no bit of an answer";
  return `change last digits: ${Object.entries(batches).map(([name, off]) => `${word(name)} by up to ${signed(off.toExponential(1))}`).join(", ")}`;
}

function scores(model) {
  const entries = Object.entries(model.metrics || {});
  if (!entries.length) return null;
  return el("dl", { class: "facts" }, entries.map(([name, pair]) =>
    fact(word(name), [`${short(pair.model, 4)} `, el("span", { class: "quiet" }, `(a constant answer: ${short(pair.baseline, 4)})`)])));
}
