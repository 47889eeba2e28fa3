// The scene in one's own room: immersive AR by WebXR, where the device has it. It stands on the floor, at a size that a
// slider sets; a tap puts it down, or takes it up again.

const SIDES = [0.05, 4]; // metres: the least and the greatest size of the scene's longest side
const FIRST_SIDE = 0.4;
const AWAY = 1.2; // metres in front of the viewer, where no surface is found
const EYES = 1.4; // metres above a floor that the device does not know
const SLOW = 1 / 35; // s for a frame, beyond which it is drawn in fewer pixels
const LEAST_SHARE = 0.2;

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const scaled = (a, by) => a.map((x) => x * by);
const sum = (...all) => [0, 1, 2].map((i) => all.reduce((total, a) => total + a[i], 0));
const cross = ([a, b, c], [d, e, f]) => [b * f - c * e, c * d - a * f, a * e - b * d];
const unit = (a) => scaled(a, 1 / Math.hypot(...a));

// Offer AR, by one more button, if the device has it and the scene has no surroundings of its own.
export async function offerRoom(viewer) {
  const { framed, region } = viewer.card;
  if (framed || region.kind !== "orbit" || !(await navigator.xr?.isSessionSupported("immersive-ar").catch(() => false))) return;
  document.getElementById("ask").insertAdjacentHTML(
    "beforebegin",
    '<button type="button" id="room" title="In your room"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3l7 4v8l-7 4-7-4V7zM5 7l7 4 7-4M12 11v8"/></svg><span>Room</span></button>',
  );
  document.body.insertAdjacentHTML(
    "beforeend",
    `<form id="place" class="panel" aria-label="Size in the room" hidden><p>A tap puts it down, another takes it up.</p><p><label for="side">Size</label><input type="range" id="side" min="${Math.log(SIDES[0])}" max="${Math.log(SIDES[1])}" step="any" value="${Math.log(FIRST_SIDE)}"><output for="side"></output></p><p><button type="button" id="leave">Back to the page</button></p></form>`,
  );
  document.getElementById("room").addEventListener("click", () => enter(viewer).catch((error) => viewer.hint(`AR did not start: ${error.message}`)));
}

async function enter(viewer) {
  const overlay = document.getElementById("place");
  const session = await navigator.xr.requestSession("immersive-ar", { optionalFeatures: ["local-floor", "hit-test", "dom-overlay"], domOverlay: { root: overlay } });
  const room = new Room(viewer.renderer, session);
  const slider = document.getElementById("side");
  const resize = () => (slider.nextElementSibling.textContent = room.resize(Math.exp(slider.value)));
  slider.oninput = resize;
  document.getElementById("leave").onclick = () => session.end();
  overlay.addEventListener("beforexrselect", (event) => event.preventDefault()); // a touch of the panel is no tap
  resize();
  overlay.hidden = false;
  const ended = new Promise((resolve) => session.addEventListener("end", resolve, { once: true }));
  await viewer.alone(() => Promise.race([room.start().then(() => ended), ended])); // the page draws nothing meanwhile
  overlay.hidden = true;
  viewer.refresh();
}

class Room {
  constructor({ gpu, card, bounds: { low, high } }, session) {
    Object.assign(this, { gpu, session, placed: null, held: true, share: 0.5 });
    // The scene's axes as a visitor sees them who stands where the page starts: right, up, towards them.
    const { up, east, north, start } = card.region;
    const towards = unit(sum(scaled(east, Math.cos(start.azimuth)), scaled(north, Math.sin(start.azimuth))));
    this.axes = [cross(up, towards), up, towards];
    const heights = up.map((x, i) => Math.min(x * low[i], x * high[i])); // of the lowest corner
    const middle = sum(scaled(low, 0.5), scaled(high, 0.5));
    this.base = sum(middle, scaled(up, heights.reduce((a, b) => a + b) - dot(middle, up)));
    this.longest = Math.max(...high.map((x, i) => x - low[i]));
  }

  // Give the longest side so many metres; return them in words.
  resize(metres) {
    this.metres = metres / this.longest; // of a scene unit
    return metres < 1 ? `${Math.round(100 * metres)} cm` : `${metres.toFixed(1)} m`;
  }

  async start() {
    const { session, gpu: { gl } } = this;
    await gl.makeXRCompatible();
    await session.updateRenderState({ baseLayer: new XRWebGLLayer(session, gl, { antialias: false, depth: false }) });
    this.space = await session.requestReferenceSpace("local-floor").catch(async () => {
      this.floor = -EYES;
      return session.requestReferenceSpace("local");
    });
    const viewerSpace = await session.requestReferenceSpace("viewer");
    this.surfaces = await session.requestHitTestSource?.({ space: viewerSpace }).catch(() => null);
    session.addEventListener("select", () => (this.held = !this.held));
    session.requestAnimationFrame((time, frame) => this.draw(time, frame));
  }

  draw(time, frame) {
    const { session, gpu } = this;
    session.requestAnimationFrame((next, following) => this.draw(next, following));
    this.adapt((time - (this.before ?? time)) / 1000);
    this.before = time;
    const seen = frame.getViewerPose(this.space);
    if (!seen || gpu.lost) return;
    if (this.held || !this.placed) this.follow(frame, seen.transform.matrix);
    const layer = session.renderState.baseLayer;
    for (const view of seen.views) {
      const { x, y, width, height } = layer.getViewport(view);
      const size = { width: Math.max(1, Math.round(width * this.share)), height: Math.max(1, Math.round(height * this.share)) };
      gpu.begin({ ...this.camera(view, size), ...size, room: true });
      gpu.drawRows(0, size.height);
      gpu.present(layer.framebuffer, [x, y, width, height]);
    }
  }

  // Fewer pixels where frames come slowly, more where they do not.
  adapt(seconds) {
    if (seconds > 0) this.share = Math.min(1, Math.max(LEAST_SHARE, this.share * (seconds > SLOW ? 0.95 : 1.01)));
  }

  // Put the scene where the viewer looks: on a surface that the device has found, else in front of them on the floor.
  follow(frame, matrix) {
    const eye = matrix.slice(12, 15);
    const [hit] = this.surfaces ? frame.getHitTestResults(this.surfaces) : [];
    const onSurface = hit?.getPose(this.space)?.transform.matrix.slice(12, 15);
    const flat = Math.hypot(matrix[8], matrix[10]) || 1;
    const ahead = [eye[0] - (AWAY * matrix[8]) / flat, this.floor ?? 0, eye[2] - (AWAY * matrix[10]) / flat];
    const place = onSurface ? [...onSurface] : ahead;
    this.placed = { place, turn: Math.atan2(eye[0] - place[0], eye[2] - place[2]) };
  }

  // The view's pose and intrinsics in the scene: the room's axes turned about "up", moved and scaled.
  camera({ transform: { matrix }, projectionMatrix }, { width, height }) {
    const { place, turn } = this.placed;
    const [right, up, towards] = this.axes;
    const inScene = ([x, y, z]) => {
      const across = x * Math.cos(turn) - z * Math.sin(turn);
      const nearer = x * Math.sin(turn) + z * Math.cos(turn);
      return sum(scaled(right, across), scaled(up, y), scaled(towards, nearer));
    };
    const column = (i) => [...matrix.slice(4 * i, 4 * i + 3)];
    const eye = column(3).map((x, i) => (x - place[i]) / this.metres);
    const columns = [...[0, 1, 2].map((i) => inScene(column(i))), sum(this.base, inScene(eye))];
    const p = projectionMatrix;
    return {
      pose: [0, 1, 2].flatMap((row) => columns.map((own) => own[row])),
      intrinsics: [(p[0] * width) / 2, (p[5] * height) / 2, ((1 - p[8]) * width) / 2, ((1 + p[9]) * height) / 2],
    };
  }
}
