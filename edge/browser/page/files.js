// Files as they lie in the folder: packed, since simple servers do not compress.

/** The SHA-256 of bytes, in hexadecimal. */
export async function digest(bytes) {
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((each) => each.toString(16).padStart(2, "0")).join("");
}

/** A response's bytes; an error where they have another hash, as where half a release was put there. */
export async function checked(response, path, sha256) {
  if (!response.ok) throw new Error(`the file ${path}: the server answers ${response.status}`);
  const bytes = await response.arrayBuffer();
  if (await digest(bytes) !== sha256) throw new Error(`the file ${path} was altered: it is not the file of this release. Put the whole folder there again.`);
  return bytes;
}

/** The response of a packed file's bytes, unpacked. */
export function unpacked(bytes, name) {
  const type = name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Response(new Response(bytes).body.pipeThrough(new DecompressionStream("gzip")), { headers: { "Content-Type": type } });
}
