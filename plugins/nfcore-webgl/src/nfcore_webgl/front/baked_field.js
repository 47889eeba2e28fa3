// The page of a baked field: a fragment shader marches through it, at the screen's own resolution.

import { inflateAll, text } from "nfcore/data";
import { Gpu } from "nfcore/gpu";
import { offerRoom } from "nfcore/room";
import { ScreenRenderer } from "nfcore/screen";
import { arrange, decodeVertices, occupiedBits, occupiedBox } from "nfcore/unpack";
import { readCard, view } from "nfcore/viewer";

const BAND = 25; // ms of work that the graphics processor gets at once, so that no image blocks it

class BakedField extends ScreenRenderer {
  async start(events) {
    this.gpu = new Gpu(this.canvas);
    this.perPixel = 0; // ms, as last measured
    this.header = this.card.field;
    const data = await inflateAll(this.header.blocks);
    const layout = arrange(this.header, data.distances, this.gpu.mostTexels);
    const values = decodeVertices(this.header, layout, data.occupied, data.codes);
    const occupied = occupiedBits(this.header.grid, data.occupied);
    this.scene = { cells: this.header.grid.cells, distances: data.distances, occupied, layout, values };
    const load = () => this.gpu.load(this.scene, text("vertex"), text("fragment"));
    load();
    this.watch(events, load);
    return this.gpu.software ? "WebGL2 in software" : "WebGL2";
  }

  // The box around all that is there, in the scene's world.
  get bounds() {
    const { grid } = this.header;
    const { low, high } = occupiedBox(grid, this.scene.distances);
    const place = (vertex, axis) => grid.low[axis] + vertex * grid.spacing[axis];
    return { low: low.map(place), high: high.map((end, axis) => place(end - 1, axis)) };
  }

  // Draw an image band by band.
  async draw({ pose, intrinsics, width, height, stale }) {
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
}

await offerRoom(await view(new BakedField(readCard())));
