// -------- numbers and words

/** A number as people read it, in no country's way: 157 295.9, 0.000 012 as 1.2e-5. */
function short(value, digits = 6) {
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return signed(Number(value.toPrecision(4)).toExponential());
  if (Number.isInteger(value)) return grouped(value);
  const whole = size >= 10 ** digits ? String(Math.round(value)) : String(Number(value.toPrecision(digits)));
  return grouped(whole);
}

function grouped(number) {
  const text = String(number), [whole, part] = text.replace("-", "").split(".");
  const spaced = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return (text.startsWith("-") ? "\u2212" : "") + spaced + (part ? "." + part : "");
}

const signed = (text) => text.replaceAll("-", "\u2212").replace("e+", "e");
const percent = (share) => `${grouped((100 * share).toFixed(Math.abs(share) > 0.9995 && share !== 1 ? 2 : 1))}\u202f%`;
/** A text, no number of which is broken at the end of a line. */
const unbroken = (text) => text.split(/((?:[+\u2212-]|\b)\d[\d\u202f.,]*(?:e[+\u2212-]?\d+)?(?:\u202f%)?)/).map((part, index) => index % 2 ? el("span", { class: "number" }, part) : part);
const plural = (count, word) => `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;
