"use strict";
// No library and no build step: `el` makes elements, `state` is all there is to know, and each
// `show…` function draws one part. What comes from the server is only ever set as text.

const BASE = location.origin + location.pathname.replace(/\/*$/, "/"); // also below a path prefix
const KEY = "onnxlet key"; // in sessionStorage: gone when the tab is closed
const MOST_VALUES = 2000; // of an answer, that are listed
const WIDE = 24; // columns, beyond which the form is a compact table
const MOST_BARS = 12;
const MOST_CLASSES = 10; // where there are more than MOST_BARS
const PLACEHOLDER = "$API_KEY"; // what snippets say instead of a key
const state = { models: [], model: null, asked: 0, answer: null, fields: [], language: "curl", search: "", ending: [], limits: {}, coverage: 0.9, span: null, k: null };

const LOCAL = Boolean(document.querySelector("[rel=manifest]")); // in this browser: no reasons, drift, curl

const byId = (id) => document.getElementById(id);

const AS_TYPED = { autocomplete: "off", spellcheck: "false" }; // of a box
const DRAWN = ["svg", "rect", "line", "circle"];

/** An element; `on…` attributes are listeners, null ones are left out. */
function el(name, attributes, ...children) {
  const made = DRAWN.includes(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

const rolls = (label, ...children) => el("div", { class: "rolls", tabindex: "0", role: "group", "aria-label": label }, ...children);
const button = (attributes, ...children) => el("button", { type: "button", ...attributes }, ...children);

function say(text) { byId("said").textContent = text; }
