// Hands and keys: what they do to the canvas becomes moves of the camera and actions of the viewer.

const STEP = 1 / 24; // of the image, for an arrow key
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEYS = { "+": "nearer", "=": "nearer", "-": "farther", 0: "reset", home: "reset", t: "turn", s: "save", v: "views", c: "adjust", f: "screen", "?": "ask" };

// Call `actions` by name; `drag(dx, dy, panning)` is in shares of the image, `zoom(by)` a logarithm. No key is
// taken while `blocked()`.
export function listen(canvas, actions, blocked) {
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => follow(event, canvas, fingers, actions));
  for (const type of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(type, (event) => fingers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => turnWheel(event, actions), { passive: false });
  canvas.addEventListener("dblclick", actions.reset);
  addEventListener("keydown", (event) => press(event, actions, blocked));
}

function follow(event, canvas, fingers, { drag, zoom }) {
  const last = fingers.get(event.pointerId);
  if (!last) return;
  const now = [event.clientX, event.clientY];
  const { width, height } = canvas.getBoundingClientRect();
  if (fingers.size === 2) zoom(spread(fingers, event.pointerId, last, now));
  fingers.set(event.pointerId, now);
  const panning = fingers.size > 1 || event.shiftKey || (event.buttons & 6) !== 0;
  // Two fingers each carry half of what they move together.
  drag((now[0] - last[0]) / width / fingers.size, (now[1] - last[1]) / height / fingers.size, panning);
}

// How much farther apart two fingers are, as a logarithm, once one of them has moved from `last` to `now`.
function spread(fingers, id, last, now) {
  const [other] = [...fingers].filter(([key]) => key !== id).map(([, place]) => place);
  const distance = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) + 1;
  return Math.log(distance(now) / distance(last));
}

function turnWheel(event, { zoom }) {
  event.preventDefault();
  const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
  zoom(-Math.max(-120, Math.min(120, pixels)) * 0.0016);
}

function press(event, actions, blocked) {
  const taken = event.target.closest("input, dialog") || event.ctrlKey || event.metaKey || event.altKey;
  if (taken || blocked()) return;
  const arrow = ARROWS[event.key];
  const action = arrow ? () => actions.drag(arrow[0] * STEP, arrow[1] * STEP, event.shiftKey) : actions[KEYS[event.key.toLowerCase()]];
  if (!action) return;
  event.preventDefault();
  action();
}
