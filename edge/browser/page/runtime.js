// Sessions of ONNX Runtime's build for the web, by the C functions that it exports: they return
// what they have computed, where its own JavaScript only promises to. One thread gives the same
// digits everywhere, and needs no headers of the server.
import createRuntime from "./ort-wasm-simd-threaded.mjs";

const STRING = 8; // of ONNX's types
const BYTES = { 1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8 };
const WORD = 4; // bytes of an address, and of a size
const ON_CPU = 1;
const EVERY_OPTIMISATION = 99;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true }); // which is a character of a text here
// It scales products of float64 by a float32: another answer than elsewhere, from the eighth digit on.
const LEFT_OUT = "optimization.disable_specified_optimizers", SCALED = "MatMulScaleFusion";
const FATAL = 4; // of what is logged: what goes wrong is thrown

/** `open`, `run` and `close`, as `edge/browser/sessions.py` calls them; of a compiled module. */
export async function createHost(module) {
  const ort = await createRuntime({
    numThreads: 1,
    instantiateWasm: (imports, take) => { WebAssembly.instantiate(module, imports).then((instance) => take(instance, module)); return {}; },
  });
  const word = (at) => ort.HEAPU32[at / WORD];
  const setWord = (at, value) => { ort.HEAPU32[at / WORD] = value; };
  const words = (at, count) => [...ort.HEAPU32.subarray(at / WORD, at / WORD + count)];

  /** Room for numbers until `work` has returned. */
  function onStack(count, work) {
    const before = ort.stackSave();
    try { return work(ort.stackAlloc(Math.max(count, 1) * WORD)); } finally { ort.stackRestore(before); }
  }
  function check(failed) {
    if (!failed) return;
    throw onStack(2, (at) => {
      ort._OrtGetLastError(at, at + WORD);
      return Object.assign(new Error(ort.UTF8ToString(word(at + WORD))), { code: word(at) });
    });
  }
  function copied(bytes) {
    const at = ort._malloc(Math.max(bytes.length, 1));
    if (!at) throw Object.assign(new Error("there is no memory left"), { code: 1 });
    ort.HEAPU8.set(bytes, at);
    return at;
  }

  const sessions = new Map();
  check(ort._OrtInit(1, FATAL));

  /** A handle, and the names and types of inputs and outputs. */
  function open(onnx) {
    const options = ort._OrtCreateSessionOptions(EVERY_OPTIMISATION, true, true, 0, false, 0, 0, FATAL, 0, 0);
    check(!options);
    const [key, value] = [LEFT_OUT, SCALED].map((text) => copied(new TextEncoder().encode(`${text}\0`)));
    check(ort._OrtAddSessionConfigEntry(options, key, value));
    [key, value].forEach((at) => ort._free(at));
    const model = copied(onnx), address = ort._OrtCreateSession(model, onnx.length, options);
    ort._free(model);
    ort._OrtReleaseSessionOptions(options);
    check(!address);
    const names = new Map();
    const found = onStack(2, (at) => {
      check(ort._OrtGetInputOutputCount(address, at, at + WORD));
      const [inputs, outputs] = words(at, 2);
      return [...Array(inputs + outputs).keys()].map((index) => {
        check(ort._OrtGetInputOutputMetadata(address, index, at, at + WORD));
        const [name, about] = words(at, 2), type = word(about);
        ort._OrtFree(about);
        names.set(ort.UTF8ToString(name), name);
        return [ort.UTF8ToString(name), type, index < inputs];
      });
    });
    sessions.set(address, names);
    const of = (input) => found.filter((each) => each[2] === input).map(([name, type]) => [name, type]);
    return [address, of(true), of(false)];
  }

  function close(session) {
    sessions.get(session).forEach((name) => ort._OrtFree(name));
    sessions.delete(session);
    ort._OrtReleaseSession(session);
  }

  /** A tensor of a type and shape, over bytes; texts each end with a zero. */
  function tensor([, type, shape, bytes], held) {
    let at = copied(bytes), size = bytes.length;
    held.push(at);
    if (type === STRING) {
      const starts = new Uint32Array(shape.reduce((a, b) => a * b, 1));
      for (let index = 0, start = 0; index < starts.length; index += 1) {
        starts[index] = at + start;
        start = bytes.indexOf(0, start) + 1;
      }
      held.push(at = copied(new Uint8Array(starts.buffer)));
      size = starts.byteLength;
    }
    return onStack(shape.length, (sizes) => {
      shape.forEach((length, index) => setWord(sizes + index * WORD, length));
      const made = ort._OrtCreateTensor(type, at, size, sizes, shape.length, ON_CPU);
      check(!made);
      return made;
    });
  }

  /** The type of a tensor, its shape, and its texts or bytes. */
  function content(of) {
    const [type, data, sizes, rank] = onStack(4, (at) => {
      check(ort._OrtGetTensorData(of, at, at + WORD, at + 2 * WORD, at + 3 * WORD));
      return words(at, 4);
    });
    const shape = words(sizes, rank), count = shape.reduce((a, b) => a * b, 1);
    ort._OrtFree(sizes);
    if (type !== STRING) return [type, shape, ort.HEAPU8.slice(data, data + count * BYTES[type])];
    const starts = words(data, count);
    const texts = starts.map((start, index) => UTF8.decode(ort.HEAPU8.slice(start, index + 1 < count ? starts[index + 1] : ort.HEAPU8.indexOf(0, start))));
    ort._free(data);
    return [type, shape, texts];
  }

  /** What a session answers to feeds: for each a name, type, shape and bytes. */
  function run(session, feeds, outputs) {
    const names = sessions.get(session), tensors = [], held = [];
    try {
      for (const feed of feeds) tensors.push(tensor(feed, held));
      const given = tensors.slice();
      return onStack(2 * (feeds.length + outputs.length), (at) => {
        const values = at + feeds.length * WORD, wanted = values + feeds.length * WORD, results = wanted + outputs.length * WORD;
        feeds.forEach(([name], index) => { setWord(at + index * WORD, names.get(name)); setWord(values + index * WORD, given[index]); });
        outputs.forEach((name, index) => { setWord(wanted + index * WORD, names.get(name)); setWord(results + index * WORD, 0); });
        const failed = ort._OrtRun(session, at, values, feeds.length, wanted, outputs.length, results, 0);
        tensors.push(...words(results, outputs.length).filter(Boolean));
        check(failed);
        return words(results, outputs.length).map(content);
      });
    } finally {
      tensors.forEach((each) => ort._OrtReleaseTensor(each));
      held.forEach((each) => ort._free(each));
    }
  }

  return { open, run, close };
}
