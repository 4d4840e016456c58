// ---------------------------------------------------------------- the same request elsewhere

function calls() {
  const tab = (language) => el("button", { type: "button", role: "tab", id: `tab-${language}`, "aria-controls": "code", "data-language": language,
    onclick: () => { state.language = language; showCalls(); } }, language);
  const tabs = el("div", { role: "tablist", "aria-label": "Language" }, tab("curl"), tab("Python"));
  tabs.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    state.language = state.language === "curl" ? "Python" : "curl";
    showCalls();
    byId(`tab-${state.language}`).focus();
  });
  const copy = el("button", { type: "button", class: "plain", id: "copy" }, "Copy");
  copy.addEventListener("click", async () => {
    await copyText(byId("snippet").textContent);
    copy.textContent = "Copied"; say("Copied");
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  return el("section", { class: "card calls", "aria-labelledby": "calls-title" },
    el("div", { class: "tabs" }, el("h2", { id: "calls-title" }, "This very request"), tabs, copy),
    el("div", { id: "code", role: "tabpanel" }, el("pre", { tabindex: "0", id: "snippet", "aria-label": "Snippet" })));
}

async function copyText(text) {
  try { await navigator.clipboard.writeText(text); return; } catch (error) { /* not a secure origin: the old way */ }
  const area = el("textarea", { class: "sr", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
}

function showCalls() {
  if (!byId("snippet")) return;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.language === state.language;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
  byId("code").setAttribute("aria-labelledby", `tab-${state.language}`);
  const url = BASE + pathOf(state.model, "predict"), keyed = Boolean(sessionStorage.getItem(KEY));
  byId("snippet").textContent = state.language === "curl" ? curl(url, keyed) : python(url, keyed);
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(url, keyed) {
  return [`curl -s ${shell(url)} \\`, ...(keyed ? [`  -H "Authorization: Bearer ${PLACEHOLDER}" \\`] : []),
    "  -H 'Content-Type: application/json' \\", `  -d ${shell(`{"instances": [${rowText("\n  ")}]}`)}`].join("\n");
}

/** JSON's numbers and strings are Python's, too; its other words are not. */
const pythonCell = (text) => ({ null: "None", true: "True", false: "False" })[text] || text;

function python(url, keyed) {
  const row = state.fields.map(({ column, read }) => `    ${JSON.stringify(column.name)}: ${pythonCell(read())},`);
  return [...(keyed ? ["import os"] : []), "import json", "import urllib.request", "", "row = {", ...row, "}",
    "request = urllib.request.Request(", `    ${JSON.stringify(url)},`, '    json.dumps({"instances": [row]}).encode(),',
    keyed ? '    {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["API_KEY"]},' : '    {"Content-Type": "application/json"},',
    ")", "print(urllib.request.urlopen(request).read().decode())"].join("\n");
}
