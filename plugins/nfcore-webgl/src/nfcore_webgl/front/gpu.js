// WebGL2: the textures and the program of a baked field.

import { Graphics } from "nfcore/graphics";

const UNIT = { distances: 0, occupied: 1, atlas: 2, values0: 3 };

export class Gpu extends Graphics {
  constructor(canvas) {
    super(canvas);
    this.mostTexels = this.gl.getParameter(this.gl.MAX_3D_TEXTURE_SIZE);
  }

  // Make all that the graphics processor holds; again after its context was lost.
  load({ cells, distances, occupied, layout, values }, vertex, fragment) {
    const { gl } = this;
    this.loadScreen();
    this.program = this.compile(vertex, fragment);
    gl.useProgram(this.program);
    const { blocks } = layout;
    this.volume("distances", cells, distances, gl.R8UI, gl.RED_INTEGER);
    this.volume("occupied", cells, occupied, gl.RG32UI, gl.RG_INTEGER);
    this.volume("atlas", blocks ? blocks.count : [1, 1, 1], blocks ? blocks.index : new Uint8Array(4), gl.RGBA8UI, gl.RGBA_INTEGER);
    values.forEach((texels, i) => this.volume(`values${i}`, layout.size, texels, gl.RGBA8, gl.RGBA, UNIT.values0 + i));
    this.checkMemory(values.length * values[0].length, "a lower resolution");
    gl.uniform3fv(this.place("size"), layout.size);
    gl.uniform3fv(this.place("origin"), layout.origin);
    gl.uniform1i(this.place("blocks"), blocks ? 1 : 0);
  }

  place(name) {
    return this.gl.getUniformLocation(this.program, name);
  }

  volume(name, [width, height, depth], data, internal, format, unit = UNIT[name]) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_3D, gl.createTexture());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage3D(gl.TEXTURE_3D, 0, internal, width, height, depth, 0, format, internal === gl.RG32UI ? gl.UNSIGNED_INT : gl.UNSIGNED_BYTE, data);
    for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(gl.TEXTURE_3D, axis, gl.CLAMP_TO_EDGE);
    const filter = internal === gl.RGBA8 ? gl.LINEAR : gl.NEAREST;
    for (const kind of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, kind, filter);
    gl.uniform1i(this.place(name), unit);
  }

  // Begin an image as seen by a camera; `pose` is row by row, camera to world. In a room nothing is
  // behind the scene, and it is seen from any distance.
  begin({ pose, intrinsics, width, height, room = false }) {
    const { gl } = this;
    if (this.image?.width !== width || this.image?.height !== height) this.resizeImage(width, height);
    gl.useProgram(this.program);
    gl.uniformMatrix3fv(this.place("axes"), true, [0, 4, 8].flatMap((row) => pose.slice(row, row + 3)));
    gl.uniform3fv(this.place("position"), [pose[3], pose[7], pose[11]]);
    gl.uniform4fv(this.place("intrinsics"), intrinsics);
    gl.uniform1f(this.place("height"), height);
    gl.uniform1f(this.place("room"), room ? 1 : 0);
  }

  // Draw some rows of the image, counted from its top.
  drawRows(first, count) {
    const { gl } = this;
    const { width, height } = this.image;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.useProgram(this.program);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, height - first - count, width, count);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
  }
}
