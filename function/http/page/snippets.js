// -------- the same request elsewhere

function calls() {
  const tab = (language) => button({ role: "tab", id: `tab-${language}`, "aria-controls": "code", "data-language": language,
    onclick: () => { state.language = language; showCalls(); } }, language);
  const tabs = el("div", { role: "tablist", "aria-label": "Language" }, tab("curl"), tab("Python"));
  tabs.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    state.language = state.language === "curl" ? "Python" : "curl";
    showCalls();
    byId(`tab-${state.language}`).focus();
  });
  const copy = button({ class: "plain", id: "copy" }, "Copy");
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
  const url = BASE + pathOf(state.model, "predict") + queryOf(state.model), keyed = Boolean(sessionStorage.getItem(KEY));
  byId("snippet").textContent = state.language === "curl" ? curl(url, keyed) : python(url, keyed);
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The field whose picture is the whole request: it goes as it is, under its media type. */
const wholePicture = () => state.fields.length === 1 && state.fields[0].file ? pictureFile(state.fields[0]) : null;
const pictureFile = (field) => field.file() || { name: "picture.png", type: "image/png" };

function curl(url, keyed) {
  const picture = wholePicture(), head = [`curl -s ${shell(url)} \\`, ...(keyed ? [`  -H "Authorization: Bearer ${PLACEHOLDER}" \\`] : [])];
  const json = "  -H 'Content-Type: application/json'";
  if (picture) return [...head, `  -H ${shell(`Content-Type: ${picture.type}`)} \\`, `  --data-binary ${shell(`@${picture.name}`)}`].join("\n");
  if (!state.fields.some(({ file }) => file)) return [...head, `${json} \\`, `  -d ${shell(`{"instances": [${rowText("\n  ")}]}`)}`].join("\n");
  const cells = state.fields.map((field) => `\n  ${inHere(JSON.stringify(field.column.name))}: ${field.file
    ? `"$(base64 < ${shell(pictureFile(field).name)} | tr -d '\\n')"` : inHere(field.read())}`);
  return [...head, `${json} -d @- <<END`, `{"instances": [{${cells.join(",")}\n}]}`, "END"].join("\n");
}

/** Text of a here-document, which the shell leaves as it is. */
const inHere = (text) => text.replace(/[\\$`]/g, "\\$&");

/** JSON's numbers and strings are Python's, too; its other words are not. */
const pythonCell = (text) => ({ null: "None", true: "True", false: "False" })[text] || text;

function python(url, keyed) {
  const picture = wholePicture(), pictures = state.fields.some(({ file }) => file);
  const content = ({ name }) => `open(${JSON.stringify(name)}, "rb").read()`;
  const headers = (type) => `    {"Content-Type": "${type}"${keyed ? ', "Authorization": "Bearer " + os.environ["API_KEY"]' : ""}},`;
  const request = (body, type) => ["request = urllib.request.Request(", `    ${JSON.stringify(url)},`, `    ${body},`, headers(type), ")",
    "print(urllib.request.urlopen(request).read().decode())"];
  const imports = (...more) => [...more, ...(keyed ? ["os"] : []), "urllib.request"].sort().map((name) => `import ${name}`);
  if (picture) return [...imports(), "", ...request(content(picture), picture.type)].join("\n");
  const row = fieldsSent().map((field) => `    ${JSON.stringify(field.column.name)}: ${field.file
    ? `base64.b64encode(${content(pictureFile(field))}).decode()` : pythonCell(field.read())},`);
  return [...imports("json", ...(pictures ? ["base64"] : [])), "", "row = {", ...row, "}", ...request('json.dumps({"instances": [row]}).encode()', "application/json")].join("\n");
}
