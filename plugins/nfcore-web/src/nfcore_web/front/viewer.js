// The viewer: hands cameras to the engine, draws the pictures that come back, and listens to hands and keys.

import { cameraIn } from "nfcore/camera";
import { bytes, json } from "nfcore/data";
import { Screen, fitted } from "nfcore/draw";

const STEP = 1 / 24; // of the picture, for an arrow key
const ZOOM_STEP = Math.log(1.15);
const TURN_SECONDS = 24;
const SLOW = 50; // ms for a picture: more, and a smaller one is taken while the camera moves
const QUICK = 12; // ms: less, and a larger one is tried again
const STILL_AFTER = 220; // ms without a move until the full size is taken again

const element = (id) => document.getElementById(id);
const card = readCard();
const camera = cameraIn(card.region);
const screen = new Screen(element("picture"));
const worker = new Worker(URL.createObjectURL(new Blob([bytes("engine")], { type: "text/javascript" })));
const waiting = new Map(); // renders that have been asked for, by id
let asked = 0;
let level = 0; // index into the card's sizes, while the camera moves
const warm = new Set(); // sizes that have been rendered: the first picture of each takes far longer than the others
let moved = -Infinity;
let busy = false;
let wanted = false;
let turning = false;
let backend = null;

function readCard() {
  try {
    return json("card");
  } catch {
    fail("The page is damaged: what it says about its model can't be read.");
    throw new Error("damaged page");
  }
}

// -- the engine -----------------------------------------------------------------------------------

const ready = new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => {
    if (data.type === "ready") resolve(data);
    else if (data.type === "picture") settle(data.id, "resolve", data);
    else if (data.id === undefined) reject(new Error(data.reason));
    else settle(data.id, "reject", new Error(data.reason));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message || "the browser stopped its worker"));
  };
});

function settle(id, how, value) {
  waiting.get(id)[how](value);
  waiting.delete(id);
}

function startEngine() {
  const parts = { xz: bytes("xz"), ort: bytes("ort"), wasm: bytes("wasm"), weights: bytes("weights") };
  const graphs = card.sizes.map((_, index) => bytes(`graph-${index}`));
  const chosen = new URLSearchParams(location.hash.slice(1)).get("backend");
  const buffers = [...Object.values(parts), ...graphs].map((part) => part.buffer);
  worker.postMessage({ type: "start", ...parts, graphs, sizes: card.sizes, backend: chosen ?? "auto" }, buffers);
}

// Ask for one picture; `raw` gives float32 planes instead of bytes.
async function render({ pose = camera.pose, size = 0, intrinsics = null, raw = false } = {}) {
  await ready;
  const id = asked++;
  const factor = card.sizes[size].width / card.sizes[0].width;
  const scaled = intrinsics ?? card.intrinsics.map((value) => value * factor);
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ type: "render", id, size, pose, intrinsics: scaled, raw });
  });
}

// -- pictures -------------------------------------------------------------------------------------

// Show what the camera sees as soon as the engine is free; moves that come meanwhile are one picture.
async function refresh() {
  wanted = true;
  if (busy) return;
  busy = true;
  try {
    while (wanted) {
      wanted = false;
      const moving = performance.now() - moved < STILL_AFTER;
      const picture = await render({ size: moving ? level : 0 });
      const { width, height } = card.sizes[picture.size];
      screen.show(picture.pixels, width, height);
      draw();
      tell(picture);
      adapt(picture);
      if (turning) await step();
    }
  } catch (error) {
    fail(`The model can't be run here: ${error.message}`);
  } finally {
    busy = false;
  }
}

function adapt({ size, milliseconds }) {
  if (warm.has(size) && size === level) {
    if (milliseconds > SLOW && level + 1 < card.sizes.length) level++;
    else if (milliseconds < QUICK && level > 0) level--;
  }
  warm.add(size);
  // A small picture stands for a full one only while the camera moves.
  if (size > 0 && !turning) setTimeout(() => performance.now() - moved >= STILL_AFTER && refresh(), STILL_AFTER + 10);
}

function draw() {
  screen.draw(camera.part);
  element("frame").classList.add("shown");
}

function tell({ size, milliseconds }) {
  const { width, height } = card.sizes[size];
  const time = milliseconds < 10 ? milliseconds.toFixed(1) : milliseconds.toFixed(0);
  const engine = backend.backend === "webgpu" ? "WebGPU" : "WebAssembly";
  const threads = backend.threads > 1 ? `, ${backend.threads} threads` : "";
  element("speed").classList.add("shown");
  element("speed").firstChild.textContent = `${time} ms`;
  element("speed").lastChild.textContent = ` · ${width}×${height} · ${engine}${threads}`;
}

function resize() {
  const stage = element("stage").getBoundingClientRect();
  const margin = card.framed ? 24 : 0;
  const { width, height } = card.sizes[0];
  screen.resize(fitted(width, height, { width: stage.width - 2 * margin, height: stage.height - 2 * margin }));
  if (backend) draw();
}

// -- moves ----------------------------------------------------------------------------------------

function change(met, hand = true) {
  moved = performance.now();
  if (hand && turning) setTurning(false);
  border(met);
  showSliders();
  describe();
  refresh();
}

let forget;
function border(met) {
  for (const side of element("borders").children) side.classList.toggle("met", met.includes(side.dataset.side));
  const text = met.length ? "The student has learned no views beyond here" : "";
  if (text && element("hint").textContent !== text) element("hint").textContent = text;
  element("hint").classList.toggle("shown", met.length > 0);
  clearTimeout(forget);
  if (met.length) forget = setTimeout(() => border([]), 1400);
}

// While magnified, a drag with Shift or two fingers moves the part that is seen.
function drag(dx, dy, panning) {
  change(panning ? camera.pan(dx, dy) : camera.move(dx, dy));
}

function zoom(amount) {
  change(camera.zoomBy(amount));
}

function reset() {
  camera.reset();
  change([]);
}

let before;
async function step() {
  const now = await new Promise((resolve) => requestAnimationFrame(resolve));
  const passed = Math.min(now - (before ?? now), 200) / 1000;
  before = now;
  // Half a turn is a drag of one picture; a box is crossed to and fro.
  turnBy(passed);
  moved = performance.now();
  showSliders();
  wanted = true;
}

let direction = -1;
function turnBy(seconds) {
  const amount = card.region.kind === "orbit" ? (2 * seconds) / TURN_SECONDS : (4 * seconds) / TURN_SECONDS;
  if (camera.move(direction * amount, 0).length) direction = -direction;
}

function setTurning(on) {
  turning = on;
  before = undefined;
  element("turn").setAttribute("aria-pressed", String(on));
  if (on) refresh();
}

async function save() {
  const picture = await render();
  const { width, height } = card.sizes[0];
  screen.show(picture.pixels, width, height);
  draw();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await screen.still());
  link.download = `${card.title.replace(/[^\w-]+/g, "-")}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// -- hands and keys -------------------------------------------------------------------------------

const fingers = new Map();

function listen() {
  const canvas = element("picture");
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", follow);
  for (const type of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(type, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
      zoom(-Math.max(-120, Math.min(120, pixels)) * 0.0016);
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", reset);
  addEventListener("keydown", key);
  addEventListener("resize", resize);

  const press = { reset, save, ask: () => element("help").showModal(), adjust: toggleSliders };
  press.turn = () => setTurning(!turning);
  press.nearer = () => zoom(ZOOM_STEP);
  press.farther = () => zoom(-ZOOM_STEP);
  for (const [id, action] of Object.entries(press)) element(id).addEventListener("click", action);
  element("sliders").addEventListener("input", ({ target }) => slid(target));
  element("sliders").addEventListener("submit", (event) => event.preventDefault());
}

function follow(event) {
  const last = fingers.get(event.pointerId);
  if (!last) return;
  const now = [event.clientX, event.clientY];
  const { width, height } = element("picture").getBoundingClientRect();
  const [dx, dy] = [(now[0] - last[0]) / width, (now[1] - last[1]) / height];
  if (fingers.size === 2) pinch(event.pointerId, last, now);
  fingers.set(event.pointerId, now);
  const panning = fingers.size > 1 || event.shiftKey || (event.buttons & 6) !== 0;
  // Two fingers each carry half of what they move together.
  drag(dx / fingers.size, dy / fingers.size, panning);
}

function pinch(id, last, now) {
  const [other] = [...fingers].filter(([key]) => key !== id).map(([, place]) => place);
  const distance = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) + 1;
  camera.zoomBy(Math.log(distance(now) / distance(last)));
}

const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function key(event) {
  const taken = event.target.closest("input, dialog") || event.ctrlKey || event.metaKey || event.altKey;
  if (taken || element("help").open) return;
  const arrow = ARROWS[event.key];
  const letters = {
    "+": () => zoom(ZOOM_STEP),
    "=": () => zoom(ZOOM_STEP),
    "-": () => zoom(-ZOOM_STEP),
    0: reset,
    Home: reset,
    t: () => setTurning(!turning),
    s: save,
    c: toggleSliders,
    "?": () => element("help").showModal(),
  };
  const action = arrow ? () => drag(arrow[0] * STEP, arrow[1] * STEP, event.shiftKey) : letters[event.key.toLowerCase()] ?? letters[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

// -- sliders: the same moves for those who can't drag -------------------------------------------------

function sliders() {
  const [low, high] = camera.zooms.map((value) => 100 * Math.exp(value));
  const zoomed = { label: "Zoom", unit: "%", low, high, value: 100 * Math.exp(camera.zoom) };
  return [...camera.sliders, zoomed];
}

function makeSliders() {
  for (const [index, { label }] of sliders().entries()) {
    const name = `slider-${index}`;
    element("sliders").insertAdjacentHTML(
      "beforeend",
      `<label for="${name}">${label}</label><input type="range" id="${name}" step="any"><output for="${name}"></output>`,
    );
  }
}

function showSliders() {
  if (element("sliders").hidden) return;
  for (const [index, { low, high, value, unit }] of sliders().entries()) {
    const input = element(`slider-${index}`);
    Object.assign(input, { min: low, max: high, step: Math.max((high - low) / 200, 1e-6), disabled: high - low < 1e-6 });
    if (document.activeElement !== input) input.value = value;
    input.setAttribute("aria-valuetext", `${Math.round(value)}${unit}`);
    input.nextSibling.textContent = `${Math.round(value)}${unit}`;
  }
}

function slid(input) {
  const index = Number(input.id.split("-")[1]);
  if (index < camera.sliders.length) camera.slide(index, Number(input.value));
  else camera.zoomBy(Math.log(Number(input.value) / 100) - camera.zoom);
  change([]);
}

function toggleSliders() {
  const panel = element("sliders");
  panel.hidden = !panel.hidden;
  element("adjust").setAttribute("aria-expanded", String(!panel.hidden));
  showSliders();
}

// What a screen reader says of the picture.
function describe() {
  const places = camera.sliders.map(({ label, value, unit }) => `${label} ${Math.round(value)}${unit}`);
  element("picture").setAttribute("aria-label", `${card.title}. ${places.join(", ")}`);
}

function fail(reason) {
  element("reason").textContent = reason;
  element("failure").hidden = false;
  element("loading").hidden = true;
  element("frame").hidden = true;
  for (const button of document.querySelectorAll("#controls button")) button.disabled = true;
}

// -- start ----------------------------------------------------------------------------------------

document.title = card.title;
element("title").textContent = card.title;
document.documentElement.classList.toggle("framed", card.framed);
document.documentElement.classList.toggle("embedded", globalThis !== globalThis.top);
makeSliders();
describe();
resize();
listen();

// For scripts and tests: the camera, and pictures as the model gives them.
globalThis.lightField = { card, camera, ready, render, refresh };

try {
  startEngine();
  backend = await ready;
  globalThis.lightField.backend = backend;
  await refresh();
  element("loading").hidden = true;
} catch (error) {
  fail(`The model can't be run here: ${error.message}`);
}
