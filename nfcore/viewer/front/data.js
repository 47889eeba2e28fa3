// What the page carries in its script elements, and what it lets people save.

export function json(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

export function bytes(id) {
  const text = atob(document.getElementById(id).textContent.trim());
  const data = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) data[i] = text.charCodeAt(i);
  return data;
}

export function text(id) {
  return new TextDecoder().decode(bytes(id));
}

// All blocks that a header describes, by name.
export async function inflateAll(records) {
  const data = {};
  for (const [name, record] of Object.entries(records)) data[name] = await inflate(name, record);
  return data;
}

// The block `id`, deflated and packed, as it was before; `record` says how many bytes it has, and their CRC-32.
export async function inflate(id, record) {
  if (!("DecompressionStream" in globalThis)) {
    throw new Error("This browser is too old to unpack the page's data. Use Chrome or Edge 80, Firefox 113, Safari 16.4, or a later one.");
  }
  const again = "Download the page, or export it, again.";
  let data;
  try {
    const stream = new Blob([packed(id)]).stream().pipeThrough(new DecompressionStream("deflate"));
    data = new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error(`The page's data block "${id}" is damaged or cut short. ${again}`);
  }
  if (data.length !== record.bytes || crc32(data) !== record.crc32) {
    throw new Error(`The page's data block "${id}" is not the one that was exported. ${again}`);
  }
  return data;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(data) {
  let crc = ~0;
  for (let i = 0; i < data.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ data[i]) & 255];
  return ~crc >>> 0;
}

// Bytes of seven bits a character, as pack_bytes of nfcore.viewer writes them.
export function packed(id) {
  const text = document.getElementById(id).textContent;
  const data = new Uint8Array(Math.floor((7 * text.length) / 8));
  let bits = 0;
  let count = 0;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 7) | (text.charCodeAt(i) & 127)) & 0x7fff;
    count += 7;
    if (count < 8) continue;
    count -= 8;
    data[length++] = bits >> count;
  }
  return data;
}

// Save a Blob as a file that is named after the scene.
export function download(title, blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "scene"}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
