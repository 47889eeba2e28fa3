// A path of the camera: through saved views, or once around the scene; and as a file that `nfcore render --path` takes.

const TURN = 2 * Math.PI;

export class Path {
  // `views` as a camera's; a closed path returns to the first. `turns`: whether the first number is an angle.
  constructor(views, closed, turns) {
    this.closed = closed && views.length > 1;
    this.views = views.map((view) => [...view]);
    if (turns) for (let i = 1; i < views.length; i++) this.views[i][0] += nearestTurn(this.views[i - 1][0], this.views[i][0]);
    // What the first number is more after a whole round: a multiple of a turn.
    const [first, last] = [this.views[0][0], this.views.at(-1)[0]];
    this.round = turns && this.closed ? first + nearestTurn(last, first) - first : 0;
  }

  // The view at a share of the path from 0 to 1, on a Catmull-Rom spline.
  at(share) {
    const spans = this.closed ? this.views.length : this.views.length - 1;
    const place = Math.min(Math.max(share, 0), 1) * spans;
    const span = Math.min(Math.floor(place), Math.max(0, spans - 1));
    const [a, b, c, d] = [-1, 0, 1, 2].map((step) => this.view(span + step));
    const t = place - span;
    const spline = (p, q, r, s) => q + 0.5 * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
    return b.map((_, i) => spline(a[i], b[i], c[i], d[i]));
  }

  view(index) {
    const count = this.views.length;
    if (!this.closed) return this.views[Math.min(Math.max(index, 0), count - 1)];
    const view = [...this.views[(index + count) % count]];
    view[0] += this.round * Math.floor(index / count);
    return view;
  }

  // The views of so many frames; a closed path does not repeat its first one.
  frames(count) {
    const last = this.closed ? count : Math.max(1, count - 1);
    return Array.from({ length: count }, (_, i) => this.at(i / last));
  }
}

// The multiple of a turn that brings `angle` nearest to `other`.
function nearestTurn(other, angle) {
  return TURN * Math.round((other - angle) / TURN);
}

// The intrinsics fx, fy, cx, cy of an image of the photos' size that shows `part` of the whole one.
function intrinsicsOf({ intrinsics: [fx, fy, cx, cy], sizes: [{ width, height }] }, { left, top, side }) {
  return [fx / side, fy / side, (cx - left * width) / side, (cy - top * height) / side];
}

// The path file's text; `camera` is moved.
export function pathFile(card, camera, views, fps) {
  const [{ width, height }] = card.sizes;
  const number = (value) => Number(value.toPrecision(8));
  const frames = views.map((view) => {
    camera.view = view;
    const pose = camera.pose.map(number);
    return { pose: [0, 4, 8].map((row) => pose.slice(row, row + 4)), intrinsics: intrinsicsOf(card, camera.part).map(number) };
  });
  return JSON.stringify({ height, width, fps, frames });
}
