// -------- asking the server

class Trouble extends Error {
  constructor(status, problem, retry) { super(problem.detail || "no answer"); Object.assign(this, { status, problem, retry }); }
}

/** JSON from a path below BASE; a body is sent as it is. */
async function ask(path, body, { type = "application/json", signal } = {}) {
  // Or a host gets it.
  if (LOCAL && !navigator.serviceWorker.controller) throw new Trouble(0, { title: "The models are gone", detail: "Reload the page." });
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers["X-API-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = type;
  let response, answer;
  try {
    response = await fetch(BASE + path, { method: body === undefined ? "GET" : "POST", headers, body, signal, cache: "no-store" });
    answer = await response.json();
  } catch (error) {
    const title = response ? "The answer is not JSON" : "The server can\u2019t be reached";
    throw new Trouble(response ? response.status : 0, { title, detail: response ? `Status ${response.status}.` : "Is it still running?" });
  }
  if (!response.ok) throw new Trouble(response.status, answer, response.headers.get("Retry-After"));
  return answer;
}
