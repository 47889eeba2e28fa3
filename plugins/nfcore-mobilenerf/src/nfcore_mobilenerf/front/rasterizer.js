// WebGL2: quads are drawn with 2 x 2 samples a pixel into two textures of features, from which the network's pass
// computes the image, of any size, in a texture of its own.

const SAMPLES = 2;
const UNIT = { features0: 0, features1: 1, samples0: 2, samples1: 3, work: 4 };

export class Rasterizer {
  constructor(canvas) {
    const options = { alpha: false, antialias: false, depth: false, powerPreference: "high-performance" };
    this.gl = canvas.getContext("webgl2", options);
    if (!this.gl) {
      throw new Error(
        "This browser has no WebGL2, which draws the scene. Use a current Chrome, Edge, Firefox or Safari, and turn on " +
          "graphics acceleration in its settings if it is off.",
      );
    }
    this.canvas = canvas;
    this.mostTexels = this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE);
    const info = this.gl.getExtension("WEBGL_debug_renderer_info");
    this.device = this.gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : this.gl.RENDERER);
    this.software = /swiftshader|llvmpipe|software|basic render/i.test(this.device);
  }

  get lost() {
    return this.gl.isContextLost();
  }

  // Make all that the graphics processor holds; again after its context was lost.
  load(scene, shaders) {
    const { gl } = this;
    this.scene = scene;
    this.programs = { texels: this.compile(...shaders.texels), network: this.compile(...shaders.network) };
    scene.textures.forEach((texels, i) => this.texture(UNIT[`features${i}`], scene.side, scene.side, texels));
    if (gl.getError() === gl.OUT_OF_MEMORY) {
      const megabytes = Math.ceil((8 * scene.side ** 2) / 1e6);
      throw new Error(`The graphics processor has no room for the scene's ${megabytes} MB. Close other tabs, or export it from a teacher of fewer cells.`);
    }
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
    this.frames = { samples: gl.createFramebuffer(), image: gl.createFramebuffer() };
    this.image = null;
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

  compile(vertex, fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !this.lost) {
      const logs = [gl.getProgramInfoLog(program), ...gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader))];
      throw new Error(`The graphics driver can't compile the page's program: ${logs.join(" ").slice(0, 400)}`);
    }
    return program;
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
    const { gl } = this;
    for (const used of this.image?.textures ?? []) gl.deleteTexture(used);
    if (this.image) gl.deleteRenderbuffer(this.image.depth);
    const [wide, high] = [SAMPLES * width, SAMPLES * height];
    const textures = [this.texture(UNIT.samples0, wide, high), this.texture(UNIT.samples1, wide, high), this.texture(UNIT.work, width, height)];
    const depth = gl.createRenderbuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, depth);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT24, wide, high);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frames.samples);
    const places = [gl.COLOR_ATTACHMENT0, gl.COLOR_ATTACHMENT1];
    places.forEach((place, i) => gl.framebufferTexture2D(gl.FRAMEBUFFER, place, gl.TEXTURE_2D, textures[i], 0));
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depth);
    gl.drawBuffers(places);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frames.image);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, textures[2], 0);
    this.image = { width, height, textures, depth };
  }

  // Draw an image as seen by a camera; `pose` is row by row, camera to world.
  draw({ pose, intrinsics, width, height }) {
    const { gl } = this;
    if (this.image?.width !== width || this.image?.height !== height) this.resize(width, height);
    const camera = { axes: [0, 4, 8].flatMap((row) => pose.slice(row, row + 3)), position: [pose[3], pose[7], pose[11]], intrinsics, size: [width, height] };
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frames.samples);
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
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frames.image);
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

  // A Promise that is kept when all that was asked for is drawn.
  async finished() {
    const { gl } = this;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    while (!this.lost && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) await new Promise((resolve) => setTimeout(resolve, 1));
    gl.deleteSync(fence);
  }

  // Show the image on the canvas, as large as that is.
  present() {
    const { gl, image, canvas } = this;
    if (!image || this.lost) return;
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.frames.image);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    const filter = image.width === canvas.width && image.height === canvas.height ? gl.NEAREST : gl.LINEAR;
    gl.blitFramebuffer(0, 0, image.width, image.height, 0, 0, canvas.width, canvas.height, gl.COLOR_BUFFER_BIT, filter);
  }

  // The image's bytes, top row first.
  read() {
    const { gl, image } = this;
    const { width, height } = image;
    const upwards = new Uint8Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frames.image);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upwards);
    const pixels = new Uint8Array(upwards.length);
    for (let row = 0; row < height; row++) {
      const from = 4 * width * (height - 1 - row);
      pixels.set(upwards.subarray(from, from + 4 * width), 4 * width * row);
    }
    return pixels;
  }
}
