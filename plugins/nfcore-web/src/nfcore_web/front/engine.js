// The worker: unpacks the runtime and the model, then turns cameras into pictures, so that the page never stalls.
//
// In:  {type: "start", xz, ort, wasm, graphs, weights, sizes, backend}    bytes; sizes [{width, height}]
//      {type: "render", id, size, pose, intrinsics, raw}                  size: index into sizes
// Out: {type: "ready", backend, threads}, {type: "picture", id, ...}, {type: "failed", id, reason}
"use strict";

const MOST_THREADS = 4; // more gain nothing at these sizes and starve the page
const QUICK = 30; // ms: a GPU that needs longer for a picture is compared with the CPU

let ort;
let start;
const sessions = new Map(); // by backend and size, made when they are first asked for

// One message after another: a session runs one picture at a time.
let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(() => handle(data));
};

async function handle(message) {
  try {
    if (message.type === "start") await begin(message);
    else await render(message);
  } catch (error) {
    self.postMessage({ type: "failed", id: message.id, reason: String(error?.message ?? error) });
  }
}

async function begin(message) {
  importScripts(url(message.xz));
  const unpack = async (bytes) => {
    const stream = new self["xz-decompress"].XzReadableStream(new Blob([bytes]).stream());
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const suspends = "Suspending" in WebAssembly;
  if (!suspends) doWithoutSuspending();
  const [module, wasm, weights, ...graphs] = await Promise.all([
    import(url(message.ort)),
    ...[message.wasm, message.weights, ...message.graphs].map(unpack),
  ]);
  ort = module;
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  start = { graphs, weights, sizes: message.sizes, backend: "wasm" };
  if (message.backend !== "wasm" && suspends && (await hasGpu(message.backend === "webgpu"))) {
    start.backend = await quicker(message.backend === "webgpu");
  }
  await session(0, start.backend);
  const threads = start.backend === "wasm" ? ort.env.wasm.numThreads : 0;
  self.postMessage({ type: "ready", backend: start.backend, threads });
}

// The runtime waits for the GPU by suspending WebAssembly. A browser that can't suspend has no use for that part: on
// the CPU nothing waits, and a plain call does the same.
function doWithoutSuspending() {
  WebAssembly.Suspending = function (imported) {
    return imported;
  };
  WebAssembly.promising = (exported) => async (...values) => exported(...values);
}

async function hasGpu(anyGpu) {
  const adapter = await navigator.gpu?.requestAdapter();
  // A GPU in software is slower than WebAssembly.
  return Boolean(adapter && (anyGpu || !adapter.info?.isFallbackAdapter));
}

// A GPU that can't run this model, or gives no numbers, is left alone; so is one that loses more by handing parts of
// the model to the CPU than it gains.
async function quicker(insisted) {
  try {
    const onGpu = await timed("webgpu");
    return insisted || onGpu < QUICK || onGpu < (await timed("wasm")) ? "webgpu" : "wasm";
  } catch {
    return "wasm";
  }
}

// Milliseconds of a picture, after a first one that makes everything ready.
async function timed(backend) {
  const picture = () => run(0, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1], [100, 100, 50, 50], backend);
  if (!(await picture()).every(Number.isFinite)) throw new Error("no picture");
  const began = performance.now();
  await picture();
  return performance.now() - began;
}

function session(size, backend) {
  const key = `${backend} ${size}`;
  if (!sessions.has(key)) {
    const made = ort.InferenceSession.create(start.graphs[size], {
      executionProviders: backend === "webgpu" ? ["webgpu", "wasm"] : ["wasm"],
      externalData: [{ path: "weights.bin", data: start.weights }],
      logSeverityLevel: 3, // errors: that some parts run on the CPU is no news
    });
    sessions.set(key, made);
  }
  return sessions.get(key);
}

async function run(size, pose, intrinsics, backend = start.backend) {
  const feeds = {
    pose: new ort.Tensor("float32", Float32Array.from(pose), [1, 3, 4]),
    intrinsics: new ort.Tensor("float32", Float32Array.from(intrinsics), [1, 4]),
  };
  const { image } = await (await session(size, backend)).run(feeds);
  return image.data;
}

async function render({ id, size, pose, intrinsics, raw }) {
  const began = performance.now();
  const image = await run(size, pose, intrinsics);
  const milliseconds = performance.now() - began;
  const pixels = raw ? Float32Array.from(image) : interleaved(image);
  self.postMessage({ type: "picture", id, size, milliseconds, pixels }, [pixels.buffer]);
}

// RGB planes in [0, 1] to RGBA bytes, rounded (a clamped array rounds by itself).
function interleaved(planes) {
  const n = planes.length / 3;
  const rgba = new Uint8ClampedArray(4 * n).fill(255);
  for (let plane = 0; plane < 3; plane++) {
    for (let i = 0, from = plane * n, to = plane; i < n; i++, to += 4) rgba[to] = 255 * planes[from + i];
  }
  return rgba;
}

function url(bytes) {
  return URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
}
