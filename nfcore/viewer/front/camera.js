// The camera: moves within the region that the photos were taken from, and says where it meets the border.
//
// World and poses are as everywhere in nfcore: camera to world (3, 4), x right, y up, the camera looks down -z.

const MOST_MAGNIFIED = 4;

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const add = (a, b, scale = 1) => a.map((x, i) => x + scale * b[i]);
const cross = ([a, b, c], [d, e, f]) => [b * f - c * e, c * d - a * f, a * e - b * d];
const unit = (a) => a.map((x) => x / Math.hypot(...a));

// The pose at `eye` that looks at `target`, as 12 numbers, row by row.
export function lookAt(eye, target, up) {
  const backward = unit(add(eye, target, -1));
  const right = unit(cross(up, backward));
  const upwards = cross(backward, right);
  return [0, 1, 2].flatMap((row) => [right[row], upwards[row], backward[row], eye[row]]);
}

// What both kinds of camera share: nearer and farther, and from the nearest place on a magnified part of the image.
class Camera {
  constructor(region) {
    this.region = region;
    this.reset();
  }

  reset() {
    this.zoom = 0; // natural logarithm of how much larger things are than at the start
    this.centre = [0.5, 0.5]; // of the magnified part, in widths and heights of the image
  }

  get magnified() {
    return Math.exp(Math.max(0, this.zoom - this.nearest));
  }

  // The part of the image that is shown, in its widths and heights.
  get part() {
    const side = 1 / this.magnified;
    return { left: this.centre[0] - side / 2, top: this.centre[1] - side / 2, side };
  }

  get zooms() {
    return [this.farthest, this.nearest + Math.log(MOST_MAGNIFIED)];
  }

  // All that says what is seen, as five numbers: two coordinates, zoom, centre.
  get view() {
    return [...this.coordinates, this.zoom, ...this.centre];
  }

  set view([first, second, zoom, ...centre]) {
    this.coordinates = [first, second];
    this.zoom = clamp(zoom, ...this.zooms);
    this.centre = centre;
    this.move(0, 0);
    this.pan(0, 0);
  }

  // Each way to move returns the sides at which the border was met: "left", "right", "top", "bottom", "near", "far".
  zoomBy(amount) {
    const [low, high] = this.zooms;
    const wanted = this.zoom + amount;
    this.zoom = clamp(wanted, low, high);
    this.pan(0, 0);
    return wanted > high + 1e-9 ? ["near"] : wanted < low - 1e-9 ? ["far"] : [];
  }

  // Move the magnified part by a share of what is shown; positive numbers drag the image right and down.
  pan(dx, dy) {
    const half = 0.5 / this.magnified;
    const wanted = [this.centre[0] - 2 * half * dx, this.centre[1] - 2 * half * dy];
    this.centre = wanted.map((value) => clamp(value, half, 1 - half));
    return sides(wanted, this.centre, ["left", "top"], ["right", "bottom"]);
  }
}

// The sides at which `wanted` is beyond `got`.
function sides(wanted, got, low, high) {
  return wanted.flatMap((value, i) =>
    value < got[i] - 1e-9 ? [low[i]] : value > got[i] + 1e-9 ? [high[i]] : [],
  );
}

// Around a target: azimuth in radians, sine of the elevation, distance in scene units.
class OrbitCamera extends Camera {
  reset() {
    super.reset();
    Object.assign(this, this.region.start);
    this.move(0, 0);
    this.first = this.radius;
    this.nearest = Math.log(this.first / this.region.radius[0]);
    this.farthest = Math.log(this.first / this.region.radius[1]);
  }

  get coordinates() {
    return [this.azimuth, this.height];
  }

  set coordinates([azimuth, height]) {
    Object.assign(this, { azimuth, height });
  }

  // Views that a closed path around the scene goes through.
  get round() {
    return [0, 1, 2, 3].map((quarter) => [this.azimuth - (quarter * Math.PI) / 2, this.height, this.zoom, 0.5, 0.5]);
  }

  get pose() {
    const { target, east, north, up, radius } = this.region;
    const flat = Math.sqrt(Math.max(0, 1 - this.height ** 2));
    const around = add(east.map((x) => x * Math.cos(this.azimuth)), north, Math.sin(this.azimuth));
    const direction = add(around.map((x) => x * flat), up, this.height);
    const distance = clamp(this.first * Math.exp(-this.zoom), ...radius);
    return lookAt(add(target, direction, distance), target, up);
  }

  // A drag across the whole image is half a turn; dragging down lifts the camera.
  move(dx, dy) {
    const turn = 2 * Math.PI;
    this.azimuth = (((this.azimuth - dx * Math.PI) % turn) + turn) % turn;
    const elevation = clamp(Math.asin(this.height) + (dy * Math.PI) / 2, -Math.PI / 2, Math.PI / 2);
    const wanted = Math.sin(elevation);
    this.height = clamp(wanted, ...this.region.height);
    return sides([wanted], [this.height], ["bottom"], ["top"]);
  }

  get sliders() {
    const degrees = (radians) => (radians * 180) / Math.PI;
    const [low, high] = this.region.height.map((sine) => degrees(Math.asin(sine)));
    return [
      { label: "Around", unit: "°", low: 0, high: 360, value: degrees(this.azimuth) },
      { label: "Height", unit: "°", low, high, value: degrees(Math.asin(this.height)) },
    ];
  }

  slide(index, value) {
    const radians = (value * Math.PI) / 180;
    if (index === 0) this.azimuth = radians;
    else this.height = clamp(Math.sin(radians), ...this.region.height);
  }
}

// In a box, always towards one point: for scenes that are seen from one side.
class BoxCamera extends Camera {
  reset() {
    super.reset();
    const { start, low, high, focus } = this.region;
    this.place = [start[0], start[1]];
    this.depth = start[2];
    this.nearest = Math.log((focus + start[2]) / (focus + low[2]));
    this.farthest = Math.log((focus + start[2]) / (focus + high[2]));
  }

  get coordinates() {
    return this.place;
  }

  set coordinates(place) {
    this.place = place;
  }

  get round() {
    const { low, high } = this.region;
    const middle = [0, 1].map((i) => (low[i] + high[i]) / 2);
    const reach = [0, 1].map((i) => 0.4 * (high[i] - low[i]));
    const corners = [[1, 0], [0, 1], [-1, 0], [0, -1]];
    return corners.map((corner) => [...corner.map((x, i) => middle[i] + x * reach[i]), this.zoom, 0.5, 0.5]);
  }

  get pose() {
    const { axes, centre, low, high, focus } = this.region;
    const depth = clamp((focus + this.depth) * Math.exp(-this.zoom) - focus, low[2], high[2]);
    const world = (x, y, z) => add(add(add(centre, axes[0], x), axes[1], y), axes[2], z);
    return lookAt(world(...this.place, depth), world(0, 0, -focus), axes[1]);
  }

  // A drag across the whole image crosses the box; the camera goes the other way, as if the scene were held.
  move(dx, dy) {
    const { low, high } = this.region;
    const wanted = [this.place[0] - dx * (high[0] - low[0]), this.place[1] + dy * (high[1] - low[1])];
    this.place = wanted.map((value, i) => clamp(value, low[i], high[i]));
    return sides(wanted, this.place, ["left", "bottom"], ["right", "top"]);
  }

  get sliders() {
    const { low, high } = this.region;
    const share = (i) => (100 * (this.place[i] - low[i])) / (high[i] - low[i]);
    return ["Sideways", "Height"].map((label, i) => ({ label, unit: "%", low: 0, high: 100, value: share(i) }));
  }

  slide(index, value) {
    const { low, high } = this.region;
    this.place[index] = low[index] + (value / 100) * (high[index] - low[index]);
  }
}

export function cameraIn(region) {
  return region.kind === "orbit" ? new OrbitCamera(region) : new BoxCamera(region);
}
