// The page of a light field: a worker runs the student, and its images are drawn as large as the window allows.

import { bytes } from "nfcore/data";
import { Screen } from "nfcore/draw";
import { readCard, view } from "nfcore/viewer";

class LightField {
  constructor(card) {
    this.card = card;
    this.levels = card.sizes.length;
    this.slow = 50;
    this.quick = 12;
    this.screen = new Screen(document.getElementById("picture"));
    this.worker = new Worker(URL.createObjectURL(new Blob([bytes("engine")], { type: "text/javascript" })));
    this.waiting = new Map(); // renders that have been asked for, by id
    this.asked = 0;
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => this.receive(data, resolve, reject);
      this.worker.onerror = (event) => {
        event.preventDefault();
        reject(problem(event.message || "the browser stopped its worker"));
      };
    });
    this.ready.catch(() => {}); // start() reports it
  }

  receive(data, ready, failed) {
    if (data.type === "ready") ready(data);
    else if (data.type === "picture") this.settle(data.id, "resolve", data);
    else if (data.id === undefined) failed(problem(data.reason));
    else this.settle(data.id, "reject", problem(data.reason));
  }

  settle(id, how, value) {
    this.waiting.get(id)[how](value);
    this.waiting.delete(id);
  }

  async start() {
    const parts = { xz: bytes("xz"), ort: bytes("ort"), wasm: bytes("wasm"), weights: bytes("weights") };
    const graphs = this.card.sizes.map((_, index) => bytes(`graph-${index}`));
    const chosen = new URLSearchParams(location.hash.slice(1)).get("backend");
    const buffers = [...Object.values(parts), ...graphs].map((part) => part.buffer);
    const { sizes } = this.card;
    this.worker.postMessage({ type: "start", ...parts, graphs, sizes, backend: chosen ?? "auto" }, buffers);
    this.backend = await this.ready;
    const threads = this.backend.threads > 1 ? `, ${this.backend.threads} threads` : "";
    return this.backend.backend === "webgpu" ? "WebGPU" : `WebAssembly${threads}`;
  }

  // Ask the worker for one image; `raw` returns float32 planes instead of bytes.
  async compute({ pose, size = 0, intrinsics = null, raw = false }) {
    await this.ready;
    const id = this.asked++;
    const factor = this.card.sizes[size].width / this.card.sizes[0].width;
    const scaled = intrinsics ?? this.card.intrinsics.map((value) => value * factor);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ type: "render", id, size, pose, intrinsics: scaled, raw });
    });
  }

  photo(pose) {
    return this.compute({ pose });
  }

  async render({ pose, part, level }) {
    const { pixels, milliseconds } = await this.compute({ pose, size: level });
    const { width, height } = this.card.sizes[level];
    this.screen.show(pixels, width, height);
    this.screen.draw(part);
    return { width, height, milliseconds };
  }

  resize(space) {
    this.screen.resize(this.card.sizes[0], space);
  }
}

function problem(reason) {
  return new Error(`The model can't be run here: ${reason}`);
}

await view(new LightField(readCard()));
