// The page of a scene of polygons: the graphics processor rasterises them, and a network gives each pixel its colour.

import { bytes, inflate } from "nfcore/data";
import { Rasterizer } from "nfcore/rasterizer";
import { ScreenRenderer } from "nfcore/screen";
import { unpack } from "nfcore/unpack";
import { readCard, view } from "nfcore/viewer";

class PolygonScene extends ScreenRenderer {
  async start(events) {
    this.gpu = new Rasterizer(this.canvas);
    const { polygons } = this.card;
    const data = {};
    for (const [name, record] of Object.entries(polygons.blocks)) data[name] = await inflate(name, record);
    const scene = unpack(polygons, data, this.gpu.mostTexels);
    const source = (id) => new TextDecoder().decode(bytes(id));
    const shaders = { texels: [source("texels-vertex"), source("texels-fragment")], network: [source("network-vertex"), source("network-fragment")] };
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

  present() {
    this.gpu?.present();
  }

  read() {
    return this.gpu.read();
  }
}

await view(new PolygonScene(readCard()));
