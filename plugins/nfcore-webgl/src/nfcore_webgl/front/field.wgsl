// One pixel of a baked field: samples along its ray, summed by weight; then the network, once. As field.frag.

struct Camera {
  axes: mat3x3f, // columns are its axes in the world
  position: vec3f,
  intrinsics: vec4f, // fx fy cx cy in pixels
}

// How the vertices are stored: as a box that starts at the vertex `origin`, or, if blocks is 1, as 9 x 9 x 9 vertices for
// each block of 8 x 8 x 8 voxels, where `atlas` says.
struct Storage {
  size: vec3f,
  blocks: u32,
  origin: vec3f,
}

@group(0) @binding(0) var<uniform> camera: Camera;
@group(0) @binding(1) var<uniform> storage: Storage;
@group(0) @binding(2) var linear: sampler;
@group(0) @binding(3) var distances: texture_3d<u32>;
@group(0) @binding(4) var atlas: texture_3d<u32>;
@group(0) @binding(5) var occupied: texture_3d<u32>;
//: textures

//: constants
//: network

const CELL = 4.0;
const BLOCK = 8;
const FARTHEST = 1e-4;
const STRAIGHT = 1.5;
const LEAST_SLOPE = 0.01;
const FASTEST = 4.0; // half sides of the contracted world that one unit of distance crosses at most

// A ray's path through the domain: a line in voxels, or what bends it in the contracted world.
struct Path {
  start: vec3f,
  heading: vec3f,
  near: f32,
  far: f32,
  stretch: f32, // how much a unit of distance absorbs, in densities of its place
  nearest: f32,
  bend: f32,
  perDistance: f32,
  steps: vec3f, // from one voxel to the next, along each axis
}

fn inVoxels(place: vec3f) -> vec3f { return (place - GRID_LOW) / GRID_SPACING; }

// The part of a line in which the domain is marched.
fn clipped(path: Path) -> Path {
  let heading = select(path.heading, vec3f(1e-9), abs(path.heading) < vec3f(1e-9));
  let first = (inVoxels(MARCH_LOW) - path.start) / heading;
  let second = (inVoxels(MARCH_HIGH) - path.start) / heading;
  let enter = min(first, second);
  let leave = max(first, second);
  var part = path;
  part.steps = 1.0 / (STEP * heading);
  part.near = max(max(enter.x, max(enter.y, enter.z)), path.near);
  part.far = min(min(leave.x, min(leave.y, leave.z)), path.far);
  return part;
}

fn inBox(start: vec3f, direction: vec3f) -> Path {
  let unit = length(direction);
  return clipped(Path(inVoxels(start), direction / unit / GRID_SPACING, NEAR * unit, FAR * unit, 1.0, 0.0, 0.0, 0.0, vec3f(0.0)));
}

// NeRF, appendix C.
fn inNdc(start: vec3f, direction: vec3f) -> Path {
  let slope = min(direction.z, -LEAST_SLOPE);
  let toPlane = -(NEAR + start.z) / slope;
  let crossing = (start.xy + toPlane * direction.xy) * RATIOS / NEAR;
  let heading = vec3f(-RATIOS * direction.xy / slope - crossing, 2.0);
  let unit = length(heading);
  let slant = 2.0 / unit * length(direction) / -slope;
  return clipped(Path(inVoxels(vec3f(crossing, -1.0)), heading / unit / GRID_SPACING, 0.0, unit, slant, 0.0, 0.0, 0.0, vec3f(0.0)));
}

fn bent(depth: f32, straight: f32, speed: f32) -> f32 {
  let curved = sign(depth) * (2.0 * straight - straight * straight / max(abs(depth), straight));
  return speed * select(depth, curved, abs(depth) > straight);
}

// Mip-NeRF 360, equation 10, with the maximum norm: distance is even in depth around the point nearest to the centre
// of the box, and even in disparity beyond.
fn contracted(start: vec3f, direction: vec3f) -> Path {
  let begin = (start - BOX_CENTRE) / BOX_HALF;
  let heading = direction / BOX_HALF;
  let rate = length(heading);
  let nearest = -dot(begin, heading) / (rate * rate);
  let straight = STRAIGHT * max(length(begin + nearest * heading), 1.0) / rate;
  let speed = rate / 2.0;
  let near = bent(NEAR - nearest, straight, speed);
  let far = bent(FAR - nearest, straight, speed);
  return Path(begin, heading, near, far, length(direction) * SCALE / speed, nearest, straight * speed, 1.0 / speed, vec3f(0.0));
}

fn pathOf(start: vec3f, direction: vec3f) -> Path {
  if (KIND == BOX) { return inBox(start, direction); }
  if (KIND == NDC) { return inNdc(start, direction); }
  return contracted(start, direction);
}

// Where a path is at a distance, in voxels; w is its stretch there.
fn placeAt(path: Path, t: f32) -> vec4f {
  if (KIND != CONTRACTED) { return vec4f(path.start + t * path.heading, path.stretch); }
  var slope = 1.0;
  var along = abs(t);
  if (along > path.bend) {
    slope = 1.0 / max(2.0 - along / path.bend, FARTHEST);
    along = path.bend * slope;
  }
  let world = path.start + (path.nearest + sign(t) * along * path.perDistance) * path.heading;
  let size = abs(world);
  let inverse = 1.0 / max(max(size.x, size.y), max(size.z, 1.0));
  let shrunk = max(inverse, FARTHEST);
  let place = inVoxels(world * (2.0 - inverse) * inverse * 0.5);
  return vec4f(place, path.stretch * shrunk * shrunk * slope * slope);
}

// How many steps lead out of the cube of empty cells around `cell`, at least one. Samples stay on their lattice.
fn skip(path: Path, place: vec3f, cell: vec3i, away: i32) -> i32 {
  let middle = (vec3f(cell) + 0.5) * CELL;
  let halfSide = (f32(away) - 0.5) * CELL;
  if (KIND == CONTRACTED) {
    let room = halfSide - abs(place - middle);
    let reach = 2.0 / (FASTEST * max(GRID_SHAPE.x, max(GRID_SHAPE.y, GRID_SHAPE.z)) * STEP);
    return max(1, i32(ceil(min(room.x, min(room.y, room.z)) * reach - 1e-3)));
  }
  let leave = (middle - place) * path.steps + halfSide * abs(path.steps);
  return max(1, i32(ceil(min(leave.x, min(leave.y, leave.z)) - 1e-3)));
}

// Whether anything may be in the voxel of a place: a bit of its macro cell's 64.
fn isOccupied(place: vec3f, cell: vec3i) -> bool {
  let voxel = clamp(vec3i(floor(place)), vec3i(0), vec3i(GRID_SHAPE) - 2) - cell * i32(CELL);
  let bit = (voxel.z * i32(CELL) + voxel.y) * i32(CELL) + voxel.x;
  let bits = textureLoad(occupied, cell, 0).rg;
  return ((select(bits.y, bits.x, bit < 32) >> u32(bit & 31)) & 1u) == 1u;
}

// Where a place in voxels is in the textures, from 0 to 1.
fn texelAt(place: vec3f, cell: vec3i) -> vec3f {
  if (storage.blocks == 0u) { return (place - storage.origin + 0.5) / storage.size; }
  let block = cell * i32(CELL) / BLOCK;
  let slot = vec3f(textureLoad(atlas, block, 0).xyz);
  return (slot * f32(BLOCK + 1) + place - vec3f(block * BLOCK) + 0.5) / storage.size;
}

fn densityOf(share: f32) -> f32 {
  let x = GAIN * (DENSITY_LOW + share * (DENSITY_HIGH - DENSITY_LOW)) + SHIFT;
  return DENSITY_SCALE * select(log(1.0 + exp(min(x, 15.0))), x, x > 15.0);
}

// One triangle that covers the image.
@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
  return vec4f(vec2f(vec2u(index & 1u, index >> 1u)) * 4.0 - 1.0, 0.0, 1.0);
}

@fragment
fn fragment(@builtin(position) pixel: vec4f) -> @location(0) vec4f {
  let k = camera.intrinsics;
  let direction = camera.axes * vec3f((pixel.x - k.z) / k.x, (k.w - pixel.y) / k.y, -1.0);
  let path = pathOf(camera.position, direction);
  let last = vec3i(textureDimensions(distances)) - 1;
  var light = 1.0;
  var sums: array<vec4f, TEXTURES>;
  var step = 0;
  var t = path.near + 0.5 * STEP;
  // Pixels that are drawn in lockstep look for their next samples together, and then take them together.
  while (light >= STOP) {
    var place: vec4f;
    var cell: vec3i;
    var found = false;
    while (!found && t < path.far) {
      place = placeAt(path, t);
      cell = clamp(vec3i(floor(place.xyz / CELL)), vec3i(0), last);
      let away = i32(textureLoad(distances, cell, 0).r);
      if (away > 0) {
        step += skip(path, place.xyz, cell, away);
      } else {
        step++;
        found = isOccupied(place.xyz, cell);
      }
      t = path.near + (f32(step) + 0.5) * STEP;
    }
    if (!found) { break; }
    let texel = texelAt(place.xyz, cell);
    let first = textureSampleLevel(values0, linear, texel, 0.0);
    let left = exp(-densityOf(first.r) * STEP * place.w);
    let weight = light * (1.0 - left);
    sums[0].r += weight;
    if (weight > LEAST_WEIGHT) { addValues(&sums, weight, first, texel); }
    light *= left;
  }
  let opacity = sums[0].r;
  var own = vec3f(0.0);
  if (opacity > 0.0) { own = sums[0].gba + opacity * network(sums, normalize(direction)); }
  return vec4f(clamp(own + (1.0 - opacity) * BACKGROUND, vec3f(0.0), vec3f(1.0)), 1.0);
}
