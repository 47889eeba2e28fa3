// WebGL2: the textures and the program of a baked field, and images of it, of any size, in a texture of their own.

const UNIT = { distances: 0, occupied: 1, atlas: 2, values0: 3 };

export class Gpu {
  constructor(canvas) {
    const options = { alpha: false, antialias: false, powerPreference: "high-performance" };
    this.gl = canvas.getContext("webgl2", options);
    if (!this.gl) {
      throw new Error(
        "This browser has no WebGL2, which draws the scene. Use a current Chrome, Edge, Firefox or Safari, and turn on " +
          "graphics acceleration in its settings if it is off.",
      );
    }
    this.canvas = canvas;
    this.mostTexels = this.gl.getParameter(this.gl.MAX_3D_TEXTURE_SIZE);
    const info = this.gl.getExtension("WEBGL_debug_renderer_info");
    this.device = this.gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : this.gl.RENDERER);
    this.software = /swiftshader|llvmpipe|software|basic render/i.test(this.device);
  }

  get lost() {
    return this.gl.isContextLost();
  }

  // Make all that the graphics processor holds; again after its context was lost.
  load({ cells, distances, occupied, layout, values }, vertex, fragment) {
    const { gl } = this;
    this.program = this.compile(vertex, fragment);
    gl.useProgram(this.program);
    const { blocks } = layout;
    this.volume("distances", cells, distances, gl.R8UI, gl.RED_INTEGER);
    this.volume("occupied", cells, occupied, gl.RG32UI, gl.RG_INTEGER);
    this.volume("atlas", blocks ? blocks.count : [1, 1, 1], blocks ? blocks.index : new Uint8Array(4), gl.RGBA8UI, gl.RGBA_INTEGER);
    values.forEach((texels, i) => this.volume(`values${i}`, layout.size, texels, gl.RGBA8, gl.RGBA, UNIT.values0 + i));
    if (gl.getError() === gl.OUT_OF_MEMORY) {
      const megabytes = Math.ceil((values.length * values[0].length) / 1e6);
      throw new Error(`The graphics processor has no room for the scene's ${megabytes} MB. Close other tabs, or export it from a teacher of a lower resolution.`);
    }
    gl.uniform3fv(this.place("size"), layout.size);
    gl.uniform3fv(this.place("origin"), layout.origin);
    gl.uniform1i(this.place("blocks"), blocks ? 1 : 0);
    this.target = gl.createTexture();
    this.frame = gl.createFramebuffer();
    this.image = null;
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

  // Begin an image as seen by a camera; `pose` is row by row, camera to world.
  begin({ pose, intrinsics, width, height }) {
    const { gl } = this;
    if (this.image?.width !== width || this.image?.height !== height) this.resize(width, height);
    gl.uniformMatrix3fv(this.place("axes"), true, [0, 4, 8].flatMap((row) => pose.slice(row, row + 3)));
    gl.uniform3fv(this.place("position"), [pose[3], pose[7], pose[11]]);
    gl.uniform4fv(this.place("intrinsics"), intrinsics);
    gl.uniform1f(this.place("height"), height);
  }

  resize(width, height) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + 15);
    gl.bindTexture(gl.TEXTURE_2D, this.target);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.target, 0);
    this.image = { width, height };
  }

  // Draw some rows of the image, counted from its top.
  drawRows(first, count) {
    const { gl } = this;
    const { width, height } = this.image;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, height - first - count, width, count);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
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
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.frame);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    const filter = image.width === canvas.width && image.height === canvas.height ? gl.NEAREST : gl.LINEAR;
    gl.blitFramebuffer(0, 0, image.width, image.height, 0, 0, canvas.width, canvas.height, gl.COLOR_BUFFER_BIT, filter);
  }

  // The image's bytes, top row first.
  read() {
    const { gl, image } = this;
    const { width, height } = image;
    const upwards = new Uint8Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upwards);
    const pixels = new Uint8Array(upwards.length);
    for (let row = 0; row < height; row++) {
      const from = 4 * width * (height - 1 - row);
      pixels.set(upwards.subarray(from, from + 4 * width), 4 * width * row);
    }
    return pixels;
  }
}
