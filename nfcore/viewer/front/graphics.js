// WebGL2: a context, its programs, and an image of any size in a texture of its own that is shown on the canvas.
//
// A subclass draws into `frame`, a framebuffer whose colour is `target`, once `image` has its width and height.

const WHOLE_SCREEN = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;

// Catmull-Rom splines through the pixels, in nine filtered look-ups: bilinear enlargement would show its grid.
const ENLARGE = `#version 300 es
precision highp float;
uniform sampler2D image;
uniform vec4 area;
out vec4 colour;
void main() {
  vec2 size = vec2(textureSize(image, 0));
  vec2 place = (gl_FragCoord.xy - area.xy) / area.zw * size, base = floor(place - 0.5) + 0.5, f = place - base;
  vec2 w0 = f * (-0.5 + f * (1.0 - 0.5 * f)), w1 = 1.0 + f * f * (1.5 * f - 2.5), w2 = f * (0.5 + f * (2.0 - 1.5 * f)), w3 = f * f * (0.5 * f - 0.5);
  vec2 weights[3] = vec2[](w0, w1 + w2, w3);
  vec2 places[3] = vec2[](base - 1.0, base + w2 / (w1 + w2), base + 2.0);
  vec4 sum = vec4(0.0);
  for (int i = 0; i < 3; i++) for (int j = 0; j < 3; j++) sum += weights[i].x * weights[j].y * texture(image, vec2(places[i].x, places[j].y) / size);
  colour = clamp(sum, 0.0, 1.0);
}`;

const UNIT = 15; // of the image; subclasses take lower ones

export class Graphics {
  constructor(canvas, options = {}) {
    this.gl = canvas.getContext("webgl2", { alpha: false, antialias: false, powerPreference: "high-performance", ...options });
    if (!this.gl) {
      throw new Error(
        "This browser has no WebGL2, which draws the scene. Use a current Chrome, Edge, Firefox or Safari, and turn on " +
          "graphics acceleration in its settings if it is off.",
      );
    }
    this.canvas = canvas;
    const info = this.gl.getExtension("WEBGL_debug_renderer_info");
    this.device = this.gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : this.gl.RENDERER);
    this.software = /swiftshader|llvmpipe|software|basic render/i.test(this.device);
  }

  get lost() {
    return this.gl.isContextLost();
  }

  // Make what shows images; again after the context was lost.
  loadScreen() {
    const { gl } = this;
    this.enlarging = this.compile(WHOLE_SCREEN, ENLARGE);
    gl.useProgram(this.enlarging);
    gl.uniform1i(gl.getUniformLocation(this.enlarging, "image"), UNIT);
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

  // Throw unless the textures that were made have memory.
  checkMemory(bytes, smaller) {
    if (this.gl.getError() !== this.gl.OUT_OF_MEMORY) return;
    throw new Error(`The graphics processor has no room for the scene's ${Math.ceil(bytes / 1e6)} MB. Close other tabs, or export it from a teacher of ${smaller}.`);
  }

  // Give the image another size.
  resizeImage(width, height) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + UNIT);
    gl.bindTexture(gl.TEXTURE_2D, this.target);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    for (const kind of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, kind, gl.LINEAR);
    for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, axis, gl.CLAMP_TO_EDGE);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.target, 0);
    this.image = { width, height };
  }

  // A Promise that is kept when all that was asked for is drawn.
  async finished() {
    const { gl } = this;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    while (!this.lost && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) await new Promise((resolve) => setTimeout(resolve, 1));
    gl.deleteSync(fence);
  }

  // Show the image on the canvas, or in an area (x, y, width, height) of another framebuffer, as large as that is.
  present(framebuffer = null, area = [0, 0, this.canvas.width, this.canvas.height]) {
    const { gl, image } = this;
    if (!image || this.lost) return;
    const [x, y, width, height] = area;
    if (image.width === width && image.height === height) {
      gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.frame);
      gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, framebuffer);
      // Chromium empties a composed canvas before the next clear or draw, but not before a blit: reading the canvas would
      // empty it then, with the image.
      if (!framebuffer) gl.clear(gl.COLOR_BUFFER_BIT);
      gl.blitFramebuffer(0, 0, width, height, x, y, x + width, y + height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
      return;
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(...area);
    gl.useProgram(this.enlarging);
    gl.uniform4fv(gl.getUniformLocation(this.enlarging, "area"), area);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
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
