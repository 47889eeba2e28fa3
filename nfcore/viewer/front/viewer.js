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
//   photo(pose), device        computes an image of the photos' size; what computes it, as the browser calls it

import { bench } from "nfcore/bench";
import { cameraIn } from "nfcore/camera";
import { download, json } from "nfcore/data";
import { Film } from "nfcore/film";
import { listen } from "nfcore/input";
import { Sliders } from "nfcore/sliders";
import { Window } from "nfcore/window";

const ZOOM_STEP = Math.log(1.15);
const TURN_SECONDS = 24;
const STILL_AFTER = 220; // ms without a move until the full size is rendered
const BETWEEN = 2; // the level that comes between a smaller one and the full size
const TWICE_WITHIN = 400; // ms: a first image that took less is rendered again, since only then its time says anything
const SAME = 1e-6;

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
  for (const panel of document.querySelectorAll(".panel")) panel.hidden ||= on;
  for (const button of document.querySelectorAll("#controls button")) button.disabled = on;
}

export async function view(renderer) {
  const viewer = new Viewer(renderer);
  // For scripts and tests: `alone` lets them use the renderer when the viewer does not.
  const alone = (work) => viewer.alone(work);
  globalThis.lightField = { card: renderer.card, camera: viewer.camera, renderer, alone, refresh: () => viewer.refresh() };
  await viewer.start();
  return viewer;
}

class Viewer {
  constructor(renderer) {
    this.renderer = renderer;
    this.card = renderer.card;
    this.canvas = element("picture");
    this.camera = cameraIn(this.card.region);
    this.home = this.camera.view;
    this.level = 0; // while the camera moves
    this.shown = 0; // of the last image
    this.warm = new Set(); // levels that have been rendered: the first image of each takes far longer than the others
    this.moved = -Infinity;
    this.busy = Promise.resolve(); // what uses the renderer now
    this.refreshing = this.wanted = false;
    this.motion = null; // {name, step, ended} of a camera that moves by itself
    this.direction = -1;
    this.sliders = new Sliders(element("sliders"), this.camera, () => this.change([]));
    this.film = new Film(this);
    this.window = new Window(this);
  }

  async start() {
    try {
      this.resize();
      addEventListener("resize", () => this.resize()); // also where only the device's pixels have changed
      // A page that is loaded where nobody sees it has no size until it is shown.
      new ResizeObserver(() => this.resize()).observe(element("stage"));
      this.listen();
      this.describe();
      const events = { lost: fail, restored: () => this.restore() };
      this.engine = await this.renderer.start(events);
      await this.refresh();
      element("loading").hidden = true;
      const seconds = Number(new URLSearchParams(location.hash.slice(1)).get("bench"));
      if (seconds > 0) await this.alone(() => bench(this, seconds));
    } catch (error) {
      fail(error.message);
    }
  }

  restore() {
    setFailed(false);
    this.warm.clear();
    this.describe();
    this.film.show();
    this.refresh();
  }

  listen() {
    const actions = {
      reset: () => this.goTo(this.home),
      turn: () => this.turn(),
      farther: () => this.zoom(-ZOOM_STEP),
      nearer: () => this.zoom(ZOOM_STEP),
      save: () => this.save(),
      views: () => this.window.open("film"),
      adjust: () => this.window.open("sliders"),
      screen: () => this.window.fill(),
      ask: () => this.window.help(),
    };
    for (const [id, action] of Object.entries(actions)) element(id).addEventListener("click", action);
    const moves = { drag: (...by) => this.drag(...by), zoom: (by) => this.zoom(by) };
    listen(this.canvas, { ...actions, ...moves }, () => element("help").open);
  }

  // -- images ---------------------------------------------------------------------------------------

  // Show what the camera sees as soon as the renderer is free; moves in the meantime are one image.
  async refresh() {
    this.wanted = true;
    if (this.refreshing || this.engine === undefined) return;
    this.refreshing = true;
    try {
      while (this.wanted) await this.alone(() => this.next());
    } catch (error) {
      fail(error.message);
    } finally {
      this.refreshing = false;
    }
  }

  async next() {
    this.wanted = false;
    await this.show(this.moving ? this.level : this.shown > BETWEEN ? BETWEEN : 0);
    if (this.motion) await this.step();
  }

  // Do something with the renderer when nothing else does.
  alone(work) {
    const done = this.busy.then(work);
    this.busy = done.catch(() => {});
    return done;
  }

  // The full image of what the camera sees, on the canvas; to be called alone, and to be used at once.
  draw() {
    const { pose, part } = this.camera;
    return this.renderer.render({ pose, part, level: 0, stale: () => false });
  }

  get moving() {
    return this.motion !== null || performance.now() - this.moved < STILL_AFTER;
  }

  async show(level) {
    const { pose, part } = this.camera;
    const image = await this.renderer.render({ pose, part, level, stale: () => this.wanted });
    if (image === null) return;
    element("frame").classList.add("shown");
    this.shown = level;
    this.adapt(level, image);
  }

  adapt(level, image) {
    const { levels, slow, quick } = this.renderer;
    const { milliseconds } = image;
    const warm = this.warm.has(level);
    this.tell(image, warm);
    if (warm) {
      if (level === this.level && milliseconds > slow && level + 1 < levels) this.level++;
      else if (level === this.level && milliseconds < quick && level > 0) this.level--;
    } else if (milliseconds < TWICE_WITHIN) {
      this.wanted = true;
    }
    this.warm.add(level);
    // A small image stands for a full one only while the camera moves.
    if (level > 0 && !this.moving) this.wanted = true;
    else if (level > 0 && !this.motion) setTimeout(() => this.moving || this.refresh(), STILL_AFTER + 10);
  }

  tell({ width, height, milliseconds }, warm) {
    const time = `${milliseconds < 10 ? milliseconds.toFixed(1) : milliseconds.toFixed(0)} ms`;
    element("speed").classList.add("shown");
    element("speed").firstChild.textContent = warm ? time : "";
    element("speed").lastChild.textContent = `${warm ? " · " : ""}${width}×${height} · ${this.engine}`;
  }

  resize() {
    const stage = element("stage").getBoundingClientRect();
    const margin = this.card.framed && !document.fullscreenElement ? Math.min(24, 0.03 * stage.width) : 0;
    this.renderer.resize({ width: stage.width - 2 * margin, height: stage.height - 2 * margin });
    this.refresh();
  }

  // -- moves ----------------------------------------------------------------------------------------

  change(met) {
    this.moved = performance.now();
    this.move(null);
    this.border(met);
    this.describe();
    this.refresh();
  }

  border(met) {
    for (const side of element("borders").children) side.classList.toggle("met", met.includes(side.dataset.side));
    if (met.length) this.hint("There are no photos from beyond here");
    else element("hint").classList.remove("shown");
  }

  hint(text) {
    if (element("hint").textContent !== text) element("hint").textContent = text;
    element("hint").classList.add("shown");
    clearTimeout(this.forget);
    this.forget = setTimeout(() => this.border([]), 1400 + 20 * text.length);
  }

  // While magnified, a drag with Shift or two fingers moves the part that is seen.
  drag(dx, dy, panning) {
    this.change(panning ? this.camera.pan(dx, dy) : this.camera.move(dx, dy));
  }

  zoom(amount) {
    this.change(this.camera.zoomBy(amount));
  }

  goTo(view) {
    this.camera.view = view;
    this.change([]);
  }

  // Let the camera move by itself: `step(seconds)` says whether it goes on. Null ends it, as a hand does.
  move(name, step = null, ended = () => {}) {
    const before = this.motion;
    this.motion = step && { name, step, ended };
    if (!before && !step) return;
    before?.ended();
    this.before = undefined;
    element("turn").setAttribute("aria-pressed", String(name === "turn"));
    element("play").setAttribute("aria-pressed", String(name === "play"));
    this.refresh();
  }

  turn() {
    if (this.motion?.name === "turn") return this.move(null);
    // Half a turn is a drag of one image; a box is crossed to and fro.
    const speed = (this.card.region.kind === "orbit" ? 2 : 4) / TURN_SECONDS;
    return this.move("turn", (passed) => {
      if (this.camera.move(this.direction * speed * passed, 0).length) this.direction = -this.direction;
      return true;
    });
  }

  async step() {
    const now = await new Promise((resolve) => requestAnimationFrame(resolve));
    const passed = Math.min(now - (this.before ?? now), 200) / 1000;
    this.before = now;
    if (!this.motion) return;
    const goesOn = this.motion.step(passed);
    this.moved = performance.now();
    this.describe();
    this.wanted = true;
    if (!goesOn) this.move(null);
  }

  // What a screen reader says of the image, and which controls have something left to do.
  describe() {
    this.sliders.show();
    const places = this.camera.sliders.map(({ label, value, unit }) => `${label} ${Math.round(value)}${unit}`);
    this.canvas.setAttribute("aria-label", `${this.card.title}. ${places.join(", ")}`);
    const { zoom, zooms, view } = this.camera;
    this.enable("reset", view.some((value, i) => Math.abs(value - this.home[i]) > SAME));
    this.enable("farther", zoom > zooms[0] + SAME);
    this.enable("nearer", zoom < zooms[1] - SAME);
  }

  enable(id, on) {
    const button = element(id);
    if (!on && document.activeElement === button) this.canvas.focus(); // keys would go nowhere
    button.disabled = !on;
  }

  // -- files ----------------------------------------------------------------------------------------

  // What is seen, at the screen's size.
  async save() {
    const picture = await this.alone(async () => {
      await this.draw();
      return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
    });
    download(this.card.title, picture, "png");
  }
}
