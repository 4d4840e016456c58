// -------- the whole page

/** Where a file goes that is dropped or pasted: a picture to its field, a CSV file to the model. */
function receive(files, target) {
  const [file] = files, fields = state.fields.filter(({ take }) => take);
  if (!file || !state.model) return false;
  if (fields.length) (fields.find(({ box }) => box.contains(target)) || fields[0]).take(file);
  else if (byId("whole")) answerFile(file, state.model);
  else return false;
  return true;
}

const bearsFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
const dropping = (on) => document.body.classList.toggle("dropping", Boolean(on && state.model));
document.addEventListener("dragover", (event) => { if (bearsFiles(event)) { event.preventDefault(); dropping(true); } });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) dropping(false); });
document.addEventListener("drop", (event) => {
  if (!bearsFiles(event)) return;
  event.preventDefault();
  dropping(false);
  receive(event.dataTransfer.files, event.target);
});
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length && receive(event.clipboardData.files, event.target)) event.preventDefault(); });
byId("forget").addEventListener("click", () => { sessionStorage.removeItem(KEY); location.hash = ""; start(); });
window.addEventListener("hashchange", () => { choose().catch(showTrouble); });
start();
