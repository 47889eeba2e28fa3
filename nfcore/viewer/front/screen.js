// A renderer that draws at the screen's own resolution, and smaller while the camera moves where that is too slow.
//
// What viewer.js asks of a renderer, except for `start`. A subclass has
//   gpu                                              a Graphics, from `start` on
//   draw({pose, intrinsics, width, height, stale})   draws an image of any size with it; a Promise of its milliseconds,
//                                                    or of null where it was given up

// Shares of the screen's resolution that are used while the camera moves.
const SHARES = [1, 0.75, 0.56, 0.42, 0.32, 0.24];
const MOST_RATIO = 3; // device pixels in a CSS pixel beyond which nobody sees a difference

export class ScreenRenderer {
  constructor(card) {
    this.card = card;
    this.levels = SHARES.length;
    this.slow = 33;
    this.quick = 14;
    this.canvas = document.getElementById("picture");
  }

  // Tell the viewer when the graphics processor is taken away, and `load` again when it is given back.
  watch(events, load) {
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // otherwise it is never restored
      events.lost(
        "The browser took the graphics processor away, as happens when memory is short or the computer slept. " +
          "The scene returns by itself; if it does not, reload the page.",
      );
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      load();
      events.restored();
    });
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

  photo(pose) {
    const [size] = this.card.sizes;
    return this.draw({ pose, intrinsics: this.card.intrinsics, ...size, stale: () => false });
  }

  get device() {
    return this.gpu.device;
  }

  // The image of a camera, four bytes a pixel, top row first.
  async pixels(camera) {
    await this.draw({ stale: () => false, ...camera });
    return this.gpu.read();
  }
}
