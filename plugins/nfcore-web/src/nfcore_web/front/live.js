// The page of a run in training: `nfcore view` computes the images, from the newest checkpoint.

import { Screen } from "nfcore/draw";
import { readCard, view } from "nfcore/viewer";

const AGAIN = 10000; // ms between images of a camera that stands still: the training may have got on

class Live {
  constructor(card) {
    this.card = card;
    this.levels = card.sizes.length;
    this.slow = 120;
    this.quick = 40;
    this.screen = new Screen(document.getElementById("picture"));
  }

  async start() {
    return "in training";
  }

  async photo(pose, level = 0) {
    const response = await fetch(`/live/${[level, ...pose].join("/")}`);
    if (!response.ok) throw new Error("nfcore view no longer computes images of this training. Reload the page.");
    return createImageBitmap(await response.blob());
  }

  async render({ pose, part, level }) {
    const { width, height } = this.card.sizes[level];
    const began = performance.now();
    this.screen.showBitmap(await this.photo(pose, level));
    const milliseconds = performance.now() - began;
    this.screen.draw(part);
    return { width, height, milliseconds };
  }

  resize(space) {
    this.screen.resize(this.card.sizes[0], space);
  }
}

const viewer = await view(new Live(readCard()));
setInterval(() => document.hidden || viewer.refresh(), AGAIN);
