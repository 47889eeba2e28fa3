// WebGL2: quads are drawn with 2 x 2 samples a pixel into two textures of features, from which the network's pass
// computes the image, of any size, in a texture of its own.

import { Graphics } from "nfcore/graphics";

const SAMPLES = 2;
const UNIT = { features0: 0, features1: 1, samples0: 2, samples1: 3 };

export class Rasterizer extends Graphics {
  constructor(canvas) {
    super(canvas, { depth: false });
    this.mostTexels = this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE);
  }

  // Make all that the graphics processor holds; again after its context was lost.
  load(scene, shaders) {
    const { gl } = this;
    this.loadScreen();
    this.scene = scene;
    this.programs = { texels: this.compile(...shaders.texels), network: this.compile(...shaders.network) };
    scene.textures.forEach((texels, i) => this.texture(UNIT[`features${i}`], scene.side, scene.side, texels));
    this.checkMemory(8 * scene.side ** 2, "fewer cells");
    this.buffers(scene);
    const texels = this.use("texels");
    gl.uniform1i(texels("features0"), UNIT.features0);
    gl.uniform1i(texels("features1"), UNIT.features1);
    gl.uniform1f(texels("texels"), scene.texels);
    gl.uniform1f(texels("inset"), scene.inset);
    gl.uniform1i(texels("columns"), scene.columns);
    const network = this.use("network");
    gl.uniform1i(network("samples0"), UNIT.samples0);
    gl.uniform1i(network("samples1"), UNIT.samples1);
    this.samples = { frame: gl.createFramebuffer(), textures: [], depth: null };
  }

  // Corners of quads, four each, and the two triangles that they form.
  buffers({ corners, quads }) {
    const { gl } = this;
    gl.bindVertexArray(gl.createVertexArray());
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, corners, gl.STATIC_DRAW);
    const place = gl.getAttribLocation(this.programs.texels, "corner");
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    const order = new Uint32Array(6 * quads);
    for (let quad = 0; quad < quads; quad++) order.set([0, 1, 2, 0, 2, 3].map((corner) => 4 * quad + corner), 6 * quad);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.STATIC_DRAW);
  }

  // Use a program; return where its uniforms are, by name.
  use(name) {
    this.gl.useProgram(this.programs[name]);
    return (uniform) => this.gl.getUniformLocation(this.programs[name], uniform);
  }

  texture(unit, width, height, texels = null) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
    for (const kind of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, kind, gl.NEAREST);
    return texture;
  }

  resize(width, height) {
    const { gl, samples } = this;
    this.resizeImage(width, height);
    for (const used of samples.textures) gl.deleteTexture(used);
    gl.deleteRenderbuffer(samples.depth);
    const [wide, high] = [SAMPLES * width, SAMPLES * height];
    samples.textures = [this.texture(UNIT.samples0, wide, high), this.texture(UNIT.samples1, wide, high)];
    samples.depth = gl.createRenderbuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, samples.depth);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT24, wide, high);
    gl.bindFramebuffer(gl.FRAMEBUFFER, samples.frame);
    const places = [gl.COLOR_ATTACHMENT0, gl.COLOR_ATTACHMENT1];
    places.forEach((place, i) => gl.framebufferTexture2D(gl.FRAMEBUFFER, place, gl.TEXTURE_2D, samples.textures[i], 0));
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, samples.depth);
    gl.drawBuffers(places);
  }

  // Draw an image as seen by a camera; `pose` is row by row, camera to world.
  draw({ pose, intrinsics, width, height }) {
    const { gl } = this;
    if (this.image?.width !== width || this.image?.height !== height) this.resize(width, height);
    const camera = { axes: [0, 4, 8].flatMap((row) => pose.slice(row, row + 3)), position: [pose[3], pose[7], pose[11]], intrinsics, size: [width, height] };
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.samples.frame);
    gl.viewport(0, 0, SAMPLES * width, SAMPLES * height);
    gl.clearColor(0, 0, 0, 0);
    gl.enable(gl.DEPTH_TEST);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const texels = this.use("texels");
    this.look(texels, camera);
    gl.uniform3fv(texels("position"), camera.position);
    gl.uniform2fv(texels("range"), this.range(camera.position));
    gl.drawElements(gl.TRIANGLES, 6 * this.scene.quads, gl.UNSIGNED_INT, 0);
    gl.disable(gl.DEPTH_TEST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.viewport(0, 0, width, height);
    this.look(this.use("network"), camera);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  look(place, { axes, intrinsics, size }) {
    const { gl } = this;
    gl.uniformMatrix3fv(place("axes"), true, axes);
    gl.uniform4fv(place("intrinsics"), intrinsics);
    gl.uniform2fv(place("size"), size);
  }

  // Depths between which polygons are drawn.
  range(position) {
    const { ball: { centre, radius }, near } = this.scene;
    return [near, Math.max(2 * near, 1.01 * (radius + Math.hypot(...centre.map((x, i) => x - position[i]))))];
  }
}
