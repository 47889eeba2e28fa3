// The page of a baked field: a fragment shader marches through it, at the screen's own resolution.

import { bytes, inflate } from "nfcore/data";
import { Gpu } from "nfcore/gpu";
import { arrange, decodeVertices, occupiedBits } from "nfcore/unpack";
import { readCard, view } from "nfcore/viewer";

// Shares of the screen's resolution that are used while the camera moves.
const SHARES = [1, 0.75, 0.56, 0.42, 0.32, 0.24];
const BAND = 25; // ms of work that the graphics processor gets at once, so that no image blocks it
const MOST_RATIO = 3; // device pixels in a CSS pixel beyond which nobody sees a difference

class BakedField {
  constructor(card) {
    this.card = card;
    this.levels = SHARES.length;
    this.slow = 33;
    this.quick = 14;
    this.canvas = document.getElementById("picture");
    this.perPixel = 0; // ms, as last measured
  }

  async start(events) {
    this.gpu = new Gpu(this.canvas);
    this.header = this.card.field;
    const data = {};
    for (const [name, record] of Object.entries(this.header.blocks)) data[name] = await inflate(name, record);
    const layout = arrange(this.header, data.distances, this.gpu.mostTexels);
    const values = decodeVertices(this.header, layout, data.occupied, data.codes);
    const occupied = occupiedBits(this.header.grid, data.occupied);
    this.scene = { cells: this.header.grid.cells, distances: data.distances, occupied, layout, values };
    this.gpu.load(this.scene, this.source("vertex"), this.source("fragment"));
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // otherwise it is never restored
      events.lost(
        "The browser took the graphics processor away, as happens when memory is short or the computer slept. " +
          "The scene returns by itself; if it does not, reload the page.",
      );
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.gpu.load(this.scene, this.source("vertex"), this.source("fragment"));
      events.restored();
    });
    return this.gpu.software ? "WebGL2 in software" : "WebGL2";
  }

  source(id) {
    return new TextDecoder().decode(bytes(id));
  }

  // Without surroundings the scene fills the window; with them the image keeps the photos' sides.
  resize(space) {
    const [{ width, height }] = this.card.sizes;
    const scale = Math.min(space.width / width, space.height / height);
    const size = this.card.framed ? { width: width * scale, height: height * scale } : space;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, MOST_RATIO);
    this.size = { width: Math.max(1, Math.round(size.width * ratio)), height: Math.max(1, Math.round(size.height * ratio)) };
    Object.assign(this.canvas, this.size);
    Object.assign(this.canvas.style, { width: `${size.width}px`, height: `${size.height}px` });
    this.gpu?.present();
  }

  async render({ pose, part, level, stale }) {
    const size = { width: this.scaled("width", level), height: this.scaled("height", level) };
    const milliseconds = await this.draw({ pose, intrinsics: this.intrinsics(size, part), ...size, stale });
    if (milliseconds === null) return null;
    this.gpu.present();
    return { ...size, milliseconds };
  }

  scaled(side, level) {
    return Math.max(1, Math.round(this.size[side] * SHARES[level]));
  }

  // Those of the whole photo fitted into an image, of which `part` is shown.
  intrinsics({ width, height }, part) {
    const [reference] = this.card.sizes;
    const scale = Math.min(width / reference.width, height / reference.height);
    const [fx, fy, cx, cy] = this.card.intrinsics;
    const x = width / 2 + (cx - reference.width / 2) * scale;
    const y = height / 2 + (cy - reference.height / 2) * scale;
    const { left, top, side } = part;
    return [(fx * scale) / side, (fy * scale) / side, (x - left * width) / side, (y - top * height) / side];
  }

  // Draw an image band by band; a Promise of its milliseconds, or of null if it was given up.
  async draw({ pose, intrinsics, width, height, stale = () => false }) {
    this.gpu.begin({ pose, intrinsics, width, height });
    const rows = this.perPixel ? Math.ceil(BAND / (this.perPixel * width)) : Math.ceil(height / 8);
    const began = performance.now();
    for (let row = 0; row < height; row += rows) {
      this.gpu.drawRows(row, Math.min(rows, height - row));
      await this.gpu.finished();
      if (this.gpu.lost || (stale() && row + rows < height)) return null;
    }
    const milliseconds = performance.now() - began;
    this.perPixel = milliseconds / (width * height);
    return milliseconds;
  }

  // The image of a camera, four bytes a pixel, top row first.
  async pixels(camera) {
    await this.draw(camera);
    return this.gpu.read();
  }

  async still({ pose, part }) {
    const { width, height } = this.size;
    const pixels = await this.pixels({ pose, intrinsics: this.intrinsics(this.size, part), width, height });
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
}

await view(new BakedField(readCard()));
