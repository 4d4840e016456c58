// -------- pictures: chosen, dropped, pasted, drawn, taken

const SIDE = 280; // pixels of a drawing's longer side
const PREVIEW = 1200; // pixels of a preview's longer side, at most
const SMALL = 96; // pixels, up to which a model's pictures are rather drawn than taken

/** The picture that was sent last, of this column or of the first that has one. */
const pictureSent = (name) => (state.fields.find((field) => field.picture && (name === undefined || field.column.name === name)) || { picture: () => null }).picture();

function imageField(column, shared) {
  const wish = { ...column.image, ...column.about };
  const drawnFirst = wish.mode === "L" || (wish.height <= SMALL && wish.width <= SMALL);
  let data = "", file = null, picture = null, turn = 0, halt = () => {};
  const stage = el("div", { class: "stage" });
  const note = el("p", { class: "hint", role: "status" });
  const chooser = el("input", { ...shared, type: "file", accept: "image/*", onchange: () => { if (chooser.files[0]) take(chooser.files[0]); } });
  const tool = (text, onclick) => button({ class: "plain", onclick }, text);
  const parts = [stage, note, el("div", { class: "tools" }, chooser, tool("Draw", () => draw()),
    camera() ? tool("Use the camera", film) : null)];

  /** What is sent from now on; the page follows, at once where a picture is the whole row. */
  function settle(next, whole = false) {
    ({ data, file, picture } = next);
    stage.dispatchEvent(new Event("input", { bubbles: true }));
    live(whole && state.fields.length === 1);
  }

  /** What is under way is given up, the camera too. */
  function begin() {
    halt();
    halt = () => {};
    note.textContent = "";
    return turn += 1;
  }

  /** An encoded picture; one that is too large for a request is scaled down. */
  async function take(blob, name = blob.name || "picture.png") {
    const mine = begin();
    let bitmap = null;
    try { bitmap = await createImageBitmap(blob); } catch { /* of a form that this browser does not show */ }
    let sent = blob;
    if (blob.size > mostBytes()) {
      sent = bitmap ? await scaledDown(bitmap) : null;
      if (mine !== turn) return;
      if (!sent) { note.textContent = "This picture is larger than the server takes, and this browser can\u2019t scale it down."; return; }
      note.textContent = `Scaled down from ${bitmap.width} × ${bitmap.height} to ${sent.width} × ${sent.height}: the server takes at most ${short(mostBytes() / 2 ** 20, 2)} MB.`;
    }
    const text = await dataUrl(sent);
    if (mine !== turn) return;
    const shown = bitmap ? preview(sent.width ? sent : bitmap, name) : null;
    stage.replaceChildren(shown ? shown.canvas : el("p", { class: "quiet" }, `${name}: this browser does not show it; it is sent as it is.`));
    settle({ data: text, file: { name: sent === blob ? name : name.replace(/\.\w+$/, "") + ".jpg", type: sent.type || "image/png" }, picture: shown }, true);
  }

  function draw() {
    begin();
    stage.replaceChildren(...drawing(column.name, wish, (canvas, stroked) => settle({
      data: canvas.toDataURL("image/png"), file: { name: "picture.png", type: "image/png" }, picture: { canvas, width: canvas.width, height: canvas.height },
    }, stroked)));
  }

  /** The camera, until a picture is taken, or another model. */
  async function film() {
    const mine = begin();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      note.textContent = error.name === "NotAllowedError" ? "The browser was not allowed to use the camera." : "There is no camera that can be used.";
      return;
    }
    const stop = () => { for (const track of stream.getTracks()) track.stop(); };
    if (mine !== turn) { stop(); return; } // what halts now is another's
    halt = stop;
    state.ending.push(stop);
    const video = el("video", { class: "seen", autoplay: true, playsinline: true, muted: true, "aria-label": "What the camera sees" });
    video.srcObject = stream;
    const shoot = async () => {
      const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      await take(await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92)), "photo.jpg");
      chooser.focus();
    };
    const leave = () => { empty(); chooser.focus(); };
    const taker = button({ onclick: shoot, disabled: true }, "Take the picture");
    video.addEventListener("loadeddata", () => { taker.disabled = false; taker.focus(); });
    stage.replaceChildren(video, el("div", { class: "tools" }, taker, tool("Stop", leave)));
  }

  function empty() {
    begin();
    stage.replaceChildren(el("p", { class: "quiet" }, "Drop or paste a picture here, or choose one."));
    if (data) settle({ data: "", file: null, picture: null });
  }

  if (drawnFirst) draw(); else empty();
  return {
    control: chooser, broad: true, parts, take, picture: () => picture, file: () => file,
    read: () => !data && column.nullable ? "null" : JSON.stringify(data),
    write: () => {}, // no row that is made up has a picture
  };
}

const camera = () => isSecureContext && navigator.mediaDevices && navigator.mediaDevices.getUserMedia;

/** Of a picture, in a request as base64, with room for the rest of it. */
const mostBytes = () => Math.floor(((state.limits.body_bytes || 6 * 2 ** 20) * 0.95 - 4096) * 3 / 4);

function dataUrl(blob) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(blob);
  });
}

function sized(source, longest) {
  const share = Math.min(1, longest / Math.max(source.width, source.height));
  const canvas = el("canvas", { width: Math.max(1, Math.round(source.width * share)), height: Math.max(1, Math.round(source.height * share)) });
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** As JPEG, by steps until a request holds it; with its width and height, null where none does. */
async function scaledDown(bitmap) {
  for (let longest = Math.min(Math.max(bitmap.width, bitmap.height), 4096); longest >= 16; longest = Math.floor(longest * 0.8)) {
    const canvas = sized(bitmap, longest);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    if (blob && blob.size <= mostBytes()) return Object.assign(blob, { width: canvas.width, height: canvas.height, bitmap: canvas });
  }
  return null;
}

/** A canvas to look at, and the size of the picture that boxes are measured in. */
function preview(source, name) {
  const canvas = sized(source.bitmap || source, PREVIEW);
  for (const [key, value] of Object.entries({ class: "seen", role: "img", "aria-label": name })) canvas.setAttribute(key, value);
  return { canvas, width: source.width, height: source.height };
}

/** A canvas to draw on with mouse, pen or finger, and its tools; `drawn` gets it after each stroke. */
function drawing(name, wish, drawn) {
  const [tall, wide] = [wish.height || SMALL, wish.width || SMALL], unit = SIDE / Math.max(tall, wide);
  const canvas = el("canvas", { class: "paper", role: "img", "aria-label": `A drawing for ${name}`, width: Math.round(wide * unit), height: Math.round(tall * unit) });
  const pen = canvas.getContext("2d");
  const dark = el("input", { type: "checkbox", checked: wish.brightness > 127, onchange: () => { paint(); drawn(canvas); } });
  const size = el("input", { class: "slide", type: "range", min: 4, max: 60, value: Math.round(Math.min(Math.max(1.7 * unit, 10), 40)), "aria-label": "Size of the pen" });
  const invitation = el("p", { class: "invitation", "aria-hidden": "true" }, "Draw here");
  let strokes = [], current = null;

  function paint() {
    pen.fillStyle = dark.checked ? "#fff" : "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    strokes.forEach(line);
  }
  function line({ size: width, points }) {
    pen.strokeStyle = dark.checked ? "#000" : "#fff";
    pen.lineWidth = width; pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...points[0]);
    for (const point of points.length > 1 ? points.slice(1) : points) pen.lineTo(...point);
    pen.stroke();
  }
  function at(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) * canvas.width / width, (event.clientY - top) * canvas.height / height];
  }
  const finish = () => { if (current) { current = null; paint(); drawn(canvas, true); } }; // edges that overlap are drawn once
  const listeners = {
    pointerdown: (event) => {
      if (current || event.button) return;
      canvas.setPointerCapture(event.pointerId);
      invitation.remove();
      current = { id: event.pointerId, size: Number(size.value), points: [at(event)] };
      strokes.push(current);
      line(current);
    },
    pointermove: (event) => {
      if (!current || event.pointerId !== current.id) return;
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      const points = (events.length ? events : [event]).map(at);
      line({ size: current.size, points: [current.points[current.points.length - 1], ...points] });
      current.points.push(...points);
    },
    pointerup: finish, pointercancel: finish,
  };
  for (const [kind, listener] of Object.entries(listeners)) canvas.addEventListener(kind, listener);
  const change = (next) => () => { strokes = next(); paint(); drawn(canvas); };
  const tool = (text, onclick) => button({ class: "plain", onclick }, text);
  const save = () => el("a", { href: canvas.toDataURL("image/png"), download: "picture.png" }).click();
  paint();
  drawn(canvas);
  return [el("div", { class: "sheet" }, canvas, invitation), el("div", { class: "tools" }, el("label", { class: "check" }, "pen", size), el("label", { class: "check" }, dark, "white paper"),
    tool("Undo", change(() => strokes.slice(0, -1))), tool("Clear", change(() => [])), tool("Save", save))];
}
