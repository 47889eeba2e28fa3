// The viewer: hands what the camera sees to a renderer, and listens to hands and keys.
//
// A page's own script calls `view(renderer)`. A renderer draws on the canvas #picture; it has
//   card                       what the page says about its scene: see nfcore.viewer.viewer_card
//   levels, slow, quick        how many sizes it renders, largest first, and from how many milliseconds for an image
//                              on a smaller or a larger one is used while the camera moves
//   start(events)              a Promise of what computes the images, in words; `events` has lost(reason) and restored()
//   resize({width, height})    makes the canvas fit into a space in CSS pixels
//   render({pose, part, level, stale})   draws; a Promise of {width, height, milliseconds}, or of null where `stale()`
//                              said that another image is wanted by now
//   still({pose, part})        a Promise of a PNG of full size

import { cameraIn } from "nfcore/camera";
import { json } from "nfcore/data";
import { listen } from "nfcore/input";
import { Sliders } from "nfcore/sliders";

const ZOOM_STEP = Math.log(1.15);
const TURN_SECONDS = 24;
const STILL_AFTER = 220; // ms without a move until the full size is rendered

const element = (id) => document.getElementById(id);

// Return the page's card; without a readable one the page says so.
export function readCard() {
  try {
    return json("card");
  } catch {
    fail("The page is damaged: the description of its scene can't be read. Download or export it again.");
    throw new Error("damaged page");
  }
}

export function fail(reason) {
  element("reason").textContent = reason;
  setFailed(true);
}

function setFailed(on) {
  element("failure").hidden = !on;
  element("loading").hidden = on || element("loading").hidden;
  element("frame").hidden = on;
  for (const button of document.querySelectorAll("#controls button")) button.disabled = on;
}

export async function view(renderer) {
  const viewer = new Viewer(renderer);
  // For scripts and tests.
  globalThis.lightField = { card: renderer.card, camera: viewer.camera, renderer, refresh: () => viewer.refresh() };
  await viewer.start();
  return viewer;
}

class Viewer {
  constructor(renderer) {
    this.renderer = renderer;
    this.card = renderer.card;
    this.camera = cameraIn(this.card.region);
    this.level = 0; // while the camera moves
    this.warm = new Set(); // levels that have been rendered: the first image of each takes far longer than the others
    this.moved = -Infinity;
    this.busy = false;
    this.wanted = false;
    this.turning = false;
    this.direction = -1;
    this.sliders = new Sliders(element("sliders"), this.camera, () => this.change([]));
    document.title = this.card.title;
    element("title").textContent = this.card.title;
    document.documentElement.classList.toggle("framed", this.card.framed);
    document.documentElement.classList.toggle("embedded", globalThis !== globalThis.top);
    this.describe();
  }

  async start() {
    try {
      this.resize();
      addEventListener("resize", () => this.resize()); // also where only the device's pixels have changed
      // A page that is loaded where nobody sees it has no size until it is shown.
      new ResizeObserver(() => this.resize()).observe(element("stage"));
      this.listen();
      const events = { lost: fail, restored: () => this.restore() };
      this.engine = await this.renderer.start(events);
      await this.refresh();
      element("loading").hidden = true;
    } catch (error) {
      fail(error.message);
    }
  }

  restore() {
    setFailed(false);
    this.warm.clear();
    this.refresh();
  }

  listen() {
    const actions = {
      reset: () => this.reset(),
      turn: () => this.setTurning(!this.turning),
      farther: () => this.zoom(-ZOOM_STEP),
      nearer: () => this.zoom(ZOOM_STEP),
      save: () => this.save(),
      adjust: () => this.sliders.toggle(element("adjust")),
      ask: () => element("help").showModal(),
    };
    for (const [id, action] of Object.entries(actions)) element(id).addEventListener("click", action);
    const moves = { drag: (...by) => this.drag(...by), zoom: (by) => this.zoom(by) };
    listen(element("picture"), { ...actions, ...moves }, () => element("help").open);
  }

  // -- images ---------------------------------------------------------------------------------------

  // Show what the camera sees as soon as the renderer is free; moves in the meantime are one image.
  async refresh() {
    this.wanted = true;
    if (this.busy || this.engine === undefined) return;
    this.busy = true;
    try {
      while (this.wanted) {
        this.wanted = false;
        await this.show(this.moving ? this.level : 0);
        if (this.turning) await this.step();
      }
    } catch (error) {
      fail(error.message);
    } finally {
      this.busy = false;
    }
  }

  get moving() {
    return this.turning || performance.now() - this.moved < STILL_AFTER;
  }

  async show(level) {
    const { pose, part } = this.camera;
    const image = await this.renderer.render({ pose, part, level, stale: () => this.wanted });
    if (image === null) return;
    element("frame").classList.add("shown");
    this.tell(image);
    this.adapt(level, image.milliseconds);
  }

  adapt(level, milliseconds) {
    const { levels, slow, quick } = this.renderer;
    if (this.warm.has(level)) {
      if (level === this.level && milliseconds > slow && level + 1 < levels) this.level++;
      else if (level === this.level && milliseconds < quick && level > 0) this.level--;
    }
    this.warm.add(level);
    // A small image stands for a full one only while the camera moves.
    if (level > 0 && !this.turning) setTimeout(() => this.moving || this.refresh(), STILL_AFTER + 10);
  }

  tell({ width, height, milliseconds }) {
    const time = milliseconds < 10 ? milliseconds.toFixed(1) : milliseconds.toFixed(0);
    element("speed").classList.add("shown");
    element("speed").firstChild.textContent = `${time} ms`;
    element("speed").lastChild.textContent = ` · ${width}×${height} · ${this.engine}`;
  }

  resize() {
    const stage = element("stage").getBoundingClientRect();
    const margin = this.card.framed ? 24 : 0;
    this.renderer.resize({ width: stage.width - 2 * margin, height: stage.height - 2 * margin });
    this.refresh();
  }

  // -- moves ----------------------------------------------------------------------------------------

  change(met, hand = true) {
    this.moved = performance.now();
    if (hand && this.turning) this.setTurning(false);
    this.border(met);
    this.sliders.show();
    this.describe();
    this.refresh();
  }

  border(met) {
    for (const side of element("borders").children) side.classList.toggle("met", met.includes(side.dataset.side));
    const text = met.length ? "There are no photos from beyond here" : "";
    if (text && element("hint").textContent !== text) element("hint").textContent = text;
    element("hint").classList.toggle("shown", met.length > 0);
    clearTimeout(this.forget);
    if (met.length) this.forget = setTimeout(() => this.border([]), 1400);
  }

  // While magnified, a drag with Shift or two fingers moves the part that is seen.
  drag(dx, dy, panning) {
    this.change(panning ? this.camera.pan(dx, dy) : this.camera.move(dx, dy));
  }

  zoom(amount) {
    this.change(this.camera.zoomBy(amount));
  }

  reset() {
    this.camera.reset();
    this.change([]);
  }

  async step() {
    const now = await new Promise((resolve) => requestAnimationFrame(resolve));
    const passed = Math.min(now - (this.before ?? now), 200) / 1000;
    this.before = now;
    // Half a turn is a drag of one image; a box is crossed to and fro.
    const seconds = this.card.region.kind === "orbit" ? passed : 2 * passed;
    const met = this.camera.move((this.direction * 2 * seconds) / TURN_SECONDS, 0);
    if (met.length) this.direction = -this.direction;
    this.moved = performance.now();
    this.sliders.show();
    this.wanted = true;
  }

  setTurning(on) {
    this.turning = on;
    this.before = undefined;
    element("turn").setAttribute("aria-pressed", String(on));
    this.refresh();
  }

  async save() {
    const { pose, part } = this.camera;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await this.renderer.still({ pose, part }));
    link.download = `${this.card.title.replace(/[^\w-]+/g, "-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // What a screen reader says of the image.
  describe() {
    const places = this.camera.sliders.map(({ label, value, unit }) => `${label} ${Math.round(value)}${unit}`);
    element("picture").setAttribute("aria-label", `${this.card.title}. ${places.join(", ")}`);
  }
}
