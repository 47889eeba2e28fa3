// The panel of saved views: a path of the camera through them, to be played, saved as a video, or as a path file.

import { clamp } from "nfcore/camera";
import { download } from "nfcore/data";
import { Path, pathFile } from "nfcore/path";
import { canRecord, encode, record } from "nfcore/video";

const FPS = 30;
const MOST_VIEWS = 50;
const THUMBNAIL = 96; // px, the longer side

const element = (id) => document.getElementById(id);

export class Film {
  constructor(viewer) {
    this.viewer = viewer;
    this.key = `nfcore views of ${location.pathname} ${viewer.card.title}`;
    this.views = recall(this.key, viewer.camera.view.length); // {view, picture}
    const actions = { add: () => this.add(), play: () => this.play(), record: () => this.record(), path: () => this.savePath() };
    for (const [id, action] of Object.entries(actions)) element(id).addEventListener("click", action);
    element("record").hidden = !canRecord;
    element("film").addEventListener("submit", (event) => event.preventDefault());
    element("seconds").addEventListener("input", () => this.show());
    element("saved").addEventListener("click", ({ target }) => this.pick(target.closest("button")));
    this.show();
  }

  get seconds() {
    return Number(element("seconds").value);
  }

  get path() {
    const { camera, card } = this.viewer;
    const saved = this.views.map(({ view }) => view);
    const closed = !saved.length || element("loop").checked;
    return new Path(saved.length ? saved : camera.round, closed, card.region.kind === "orbit");
  }

  // -- the saved views ------------------------------------------------------------------------------

  async add() {
    const { viewer } = this;
    const view = viewer.camera.view;
    await viewer.alone(async () => {
      await viewer.draw();
      this.views.push({ view, picture: thumbnail(viewer.canvas) });
    });
    this.keep();
  }

  pick(button) {
    if (!button) return;
    const index = [...element("saved").children].indexOf(button.closest("li"));
    const { go, earlier, later, drop } = button.dataset;
    if (go) this.viewer.goTo(this.views[index].view);
    if (earlier) this.views.splice(index - 1, 0, ...this.views.splice(index, 1));
    if (later) this.views.splice(index + 1, 0, ...this.views.splice(index, 1));
    if (drop) this.views.splice(index, 1);
    if (!go) this.keep();
  }

  keep() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.views));
    } catch {
      // A browser that stores nothing for this page: the views last until it is closed.
    }
    this.show();
  }

  show() {
    const { views } = this;
    element("saved").innerHTML = views.map((_, i) => item(i, views.length)).join("");
    element("saved").querySelectorAll("img").forEach((image, i) => (image.src = views[i].picture));
    element("no-views").hidden = views.length > 0;
    element("loop").disabled = views.length < 2;
    element("add").disabled = views.length >= MOST_VIEWS;
    for (const id of ["play", "record", "path"]) element(id).disabled = views.length === 1;
    element("seconds").nextElementSibling.textContent = `${this.seconds} s`;
  }

  // -- what is made of them -------------------------------------------------------------------------

  play() {
    const { path, seconds, viewer } = this;
    if (viewer.motion?.name === "play") return viewer.move(null);
    let share = 0;
    return viewer.move("play", (passed) => {
      viewer.camera.view = path.at(share);
      if (share >= 1 && !path.closed) return false;
      share = path.closed ? (share + passed / seconds) % 1 : share + passed / seconds;
      return true;
    });
  }

  savePath() {
    const { camera, card } = this.viewer;
    const before = camera.view;
    const text = pathFile(card, camera, this.path.frames(this.count), FPS);
    camera.view = before;
    download(card.title, new Blob([text], { type: "application/json" }), "path.json");
  }

  get count() {
    return Math.max(2, Math.round(FPS * this.seconds));
  }

  async record() {
    if (this.recording) {
      this.recording = false; // the loop below sees it
      return;
    }
    const { viewer } = this;
    const before = viewer.camera.view;
    this.recording = true;
    try {
      const video = (await viewer.alone(() => this.encode())) ?? (await this.recordPlayed());
      if (this.recording) download(viewer.card.title, video, video.type.includes("mp4") ? "mp4" : "webm");
    } catch (error) {
      viewer.hint(`This browser could not make the video: ${error.message}`);
    } finally {
      this.recording = false;
      element("record").lastChild.textContent = "Video";
      viewer.goTo(before);
    }
  }

  encode() {
    const { viewer, count } = this;
    const views = this.path.frames(count);
    const draw = async (index) => {
      if (!this.recording) return false;
      element("record").lastChild.textContent = `Stop · ${Math.floor((100 * index) / count)} %`;
      viewer.camera.view = views[index];
      await viewer.draw();
      return true;
    };
    return encode(viewer.canvas, { count, fps: FPS, draw });
  }

  // Where frames can't be encoded one by one: as smoothly as they are drawn.
  recordPlayed() {
    const { path, seconds, viewer } = this;
    let share = 0;
    element("record").lastChild.textContent = "Stop";
    const played = new Promise((resolve) => {
      viewer.move("record", (passed) => {
        viewer.camera.view = path.at(share);
        share += passed / seconds;
        return this.recording && share < 1;
      }, resolve);
    });
    return record(viewer.canvas, FPS, played);
  }
}

const item = (i, count) => `<li>
  <button type="button" data-go="1" aria-label="Go to view ${i + 1}"><img alt=""></button>
  <span>${
    [["earlier", "‹", i === 0, "earlier"], ["later", "›", i === count - 1, "later"], ["drop", "×", false, ""]]
      .map(([what, sign, off, where]) => `<button type="button" data-${what}="1"${off ? " disabled" : ""} aria-label="${where ? `Move view ${i + 1} ${where}` : `Remove view ${i + 1}`}">${sign}</button>`)
      .join("")
  }</span></li>`;

// Views that were saved here before.
function recall(key, length) {
  try {
    const valid = ({ view, picture }) => view.length === length && view.every(Number.isFinite) && picture.startsWith("data:image/");
    return JSON.parse(localStorage.getItem(key) ?? "[]").filter(valid).slice(0, MOST_VIEWS);
  } catch {
    return [];
  }
}

// A small copy of what the canvas shows, as a data URL.
function thumbnail(canvas) {
  const scale = clamp(THUMBNAIL / Math.max(canvas.width, canvas.height), 0, 1);
  const small = document.createElement("canvas");
  small.width = Math.max(1, Math.round(canvas.width * scale));
  small.height = Math.max(1, Math.round(canvas.height * scale));
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, small.width, small.height);
  return small.toDataURL("image/jpeg", 0.8);
}
