// Videos of the canvas: encoded frame by frame into WebM where the browser has WebCodecs, else recorded as it plays.

const CODECS = [["vp09.00.51.08", "V_VP9"], ["vp8", "V_VP8"]];
const KEY_FRAMES = 60; // frames from one to the next; a cluster's times have 16 bits, milliseconds
const BITS = 0.15; // per pixel

export const canRecord = Boolean(globalThis.VideoEncoder || globalThis.MediaRecorder) && "captureStream" in HTMLCanvasElement.prototype;

// A Blob of `count` frames, each drawn on the canvas by `draw(index)`; null where this browser can't encode one by one.
export async function encode(canvas, { count, fps, draw }) {
  const [width, height] = [canvas.width & ~1, canvas.height & ~1];
  const found = await encoderFor({ width, height, framerate: fps, bitrate: Math.max(1e6, BITS * width * height * fps) });
  if (!found) return null;
  const chunks = [];
  let failure;
  const encoder = new VideoEncoder({ output: (chunk) => chunks.push(bytesOf(chunk)), error: (error) => (failure = error) });
  encoder.configure(found.config);
  for (let index = 0; index < count && !failure; index++) {
    if ((await draw(index)) === false) break;
    const frame = new VideoFrame(canvas, { timestamp: Math.round((1e6 * index) / fps), visibleRect: { x: 0, y: 0, width, height } });
    encoder.encode(frame, { keyFrame: index % KEY_FRAMES === 0 });
    frame.close();
    while (encoder.encodeQueueSize > 4) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (!failure) await encoder.flush();
  encoder.close();
  if (failure) throw failure;
  return webm(chunks, { width, height, codec: found.name, duration: (1000 * chunks.length) / fps });
}

async function encoderFor(shape) {
  for (const [codec, name] of globalThis.VideoEncoder ? CODECS : []) {
    const config = { codec, ...shape };
    if ((await VideoEncoder.isConfigSupported(config).catch(() => ({}))).supported) return { config, name };
  }
  return null;
}

function bytesOf(chunk) {
  const data = new Uint8Array(chunk.byteLength);
  chunk.copyTo(data);
  return { data, key: chunk.type === "key", time: Math.round(chunk.timestamp / 1000) };
}

// A Blob of what the canvas shows until `played`, a Promise, is kept.
export async function record(canvas, fps, played) {
  const recorder = new MediaRecorder(canvas.captureStream(fps), { videoBitsPerSecond: BITS * canvas.width * canvas.height * fps });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  await played;
  recorder.stop();
  await stopped;
  return new Blob(parts, { type: recorder.mimeType });
}

// -- WebM (Matroska): elements of an id, a size and what is in it -------------------------------------------------

function element(id, ...content) {
  const parts = content.flat(Infinity).map((part) => (typeof part === "string" ? new TextEncoder().encode(part) : part));
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return [whole(id), Uint8Array.of(1, ...bigEndian(size, 7)), ...parts]; // a size of eight bytes
}

const bigEndian = (value, bytes) => Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
const whole = (value) => Uint8Array.from(bigEndian(value, Math.max(1, Math.ceil(Math.log2(value + 1) / 8))));
const number = (id, value) => element(id, whole(value));

function real(id, value) {
  const data = new DataView(new ArrayBuffer(8));
  data.setFloat64(0, value);
  return element(id, new Uint8Array(data.buffer));
}

function webm(chunks, { width, height, codec, duration }) {
  const head = element(0x1a45dfa3, number(0x4286, 1), number(0x42f7, 1), number(0x42f2, 4), number(0x42f3, 8), element(0x4282, "webm"), number(0x4287, 4), number(0x4285, 2));
  const info = element(0x1549a966, number(0x2ad7b1, 1e6), real(0x4489, duration), element(0x4d80, "nfcore"), element(0x5741, "nfcore"));
  const size = element(0xe0, number(0xb0, width), number(0xba, height));
  const tracks = element(0x1654ae6b, element(0xae, number(0xd7, 1), number(0x73c5, 1), number(0x83, 1), element(0x86, codec), size));
  const clusters = [];
  for (const chunk of chunks) {
    if (chunk.key) clusters.push([]);
    clusters.at(-1).push(chunk);
  }
  const block = (start, { data, key, time }) => element(0xa3, Uint8Array.of(0x81, ...bigEndian(time - start, 2), key ? 0x80 : 0), data);
  const written = clusters.map((own) => element(0x1f43b675, number(0xe7, own[0].time), own.map((chunk) => block(own[0].time, chunk))));
  return new Blob([...head, ...element(0x18538067, info, tracks, written)], { type: "video/webm" });
}
