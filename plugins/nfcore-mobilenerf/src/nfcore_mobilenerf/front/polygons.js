// The page of a scene of polygons: the graphics processor rasterises them, and a network gives each pixel its colour.

import { inflateAll, text } from "nfcore/data";
import { Rasterizer } from "nfcore/rasterizer";
import { ScreenRenderer } from "nfcore/screen";
import { unpack } from "nfcore/unpack";
import { readCard, view } from "nfcore/viewer";

class PolygonScene extends ScreenRenderer {
  async start(events) {
    this.gpu = new Rasterizer(this.canvas);
    const { polygons } = this.card;
    const scene = unpack(polygons, await inflateAll(polygons.blocks), this.gpu.mostTexels);
    const shaders = { texels: [text("texels-vertex"), text("texels-fragment")], network: [text("network-vertex"), text("network-fragment")] };
    this.gpu.load(scene, shaders);
    this.watch(events, () => this.gpu.load(scene, shaders));
    return this.gpu.software ? "WebGL2 in software" : "WebGL2";
  }

  async draw({ pose, intrinsics, width, height }) {
    const began = performance.now();
    this.gpu.draw({ pose, intrinsics, width, height });
    await this.gpu.finished();
    return this.gpu.lost ? null : performance.now() - began;
  }
}

await view(new PolygonScene(readCard()));
