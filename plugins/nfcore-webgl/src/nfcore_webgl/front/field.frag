#version 300 es
// One pixel of a baked field: samples along its ray, summed by weight; then the network, once.
precision highp float;
precision highp int;
precision highp sampler3D;
precision highp usampler3D;

// The camera: pose (columns are its axes in the world), position, fx fy cx cy in pixels, height of the image in pixels.
uniform mat3 axes;
uniform vec3 position;
uniform vec4 intrinsics;
uniform float height;
// 1 to show the scene in a room: seen from any distance, transparent where nothing is (premultiplied); else 0.
uniform float room;

// Textures. `distances` and `occupied` have a texel for each macro cell: how far the nearest occupied one is, and a
// bit for each of its voxels. `size`, `origin` and `blocks` say how the vertices are stored: as a box that starts at the vertex
// `origin`, or, if blocks is 1, as 9 x 9 x 9 vertices for each block of 8 x 8 x 8 voxels, where `atlas` says.
uniform usampler3D distances;
uniform usampler3D occupied;
uniform usampler3D atlas;
uniform vec3 size;
uniform vec3 origin;
uniform int blocks;
//: textures

out vec4 colour;

//: constants
//: network

const float CELL = 4.0;
const int BLOCK = 8;
const float FARTHEST = 1e-4;
const float STRAIGHT = 1.5;
const float LEAST_SLOPE = 0.01;
const float FASTEST = 4.0; // half sides of the contracted world that one unit of distance crosses at most

// A ray's path through the domain: a line in voxels, or what bends it in the contracted world.
struct Path {
  vec3 start;
  vec3 heading;
  float near;
  float far;
  float stretch; // how much a unit of distance absorbs, in densities of its place
  float nearest;
  float bend;
  float perDistance;
  vec3 steps; // from one voxel to the next, along each axis
};

vec3 inVoxels(vec3 place) { return (place - GRID_LOW) / GRID_SPACING; }

// Where a line enters and leaves the part of the domain that is marched.
void clip(inout Path path) {
  vec3 heading = mix(path.heading, vec3(1e-9), lessThan(abs(path.heading), vec3(1e-9)));
  path.steps = 1.0 / (STEP * heading);
  vec3 first = (inVoxels(MARCH_LOW) - path.start) / heading, second = (inVoxels(MARCH_HIGH) - path.start) / heading;
  vec3 enter = min(first, second), leave = max(first, second);
  path.near = max(max(enter.x, max(enter.y, enter.z)), path.near);
  path.far = min(min(leave.x, min(leave.y, leave.z)), path.far);
}

Path inBox(vec3 start, vec3 direction) {
  float unit = length(direction);
  Path path = Path(inVoxels(start), direction / unit / GRID_SPACING, NEAR * unit * (1.0 - room), mix(FAR * unit, 1e9, room), 1.0, 0.0, 0.0, 0.0, vec3(0.0));
  clip(path);
  return path;
}

// NeRF, appendix C.
Path inNdc(vec3 start, vec3 direction) {
  float slope = min(direction.z, -LEAST_SLOPE);
  float toPlane = -(NEAR + start.z) / slope;
  vec2 crossing = (start.xy + toPlane * direction.xy) * RATIOS / NEAR;
  vec3 heading = vec3(-RATIOS * direction.xy / slope - crossing, 2.0);
  float unit = length(heading);
  float slant = 2.0 / unit * length(direction) / -slope;
  Path path = Path(inVoxels(vec3(crossing, -1.0)), heading / unit / GRID_SPACING, 0.0, unit, slant, 0.0, 0.0, 0.0, vec3(0.0));
  clip(path);
  return path;
}

float bent(float depth, float straight, float speed) {
  float curved = sign(depth) * (2.0 * straight - straight * straight / max(abs(depth), straight));
  return speed * (abs(depth) > straight ? curved : depth);
}

// Mip-NeRF 360, equation 10, with the maximum norm: distance is even in depth around the point nearest to the centre
// of the box, and even in disparity beyond.
Path contracted(vec3 start, vec3 direction) {
  vec3 from = (start - BOX_CENTRE) / BOX_HALF, heading = direction / BOX_HALF;
  float rate = length(heading);
  float nearest = -dot(from, heading) / (rate * rate);
  float straight = STRAIGHT * max(length(from + nearest * heading), 1.0) / rate, speed = rate / 2.0;
  float near = bent(NEAR - nearest, straight, speed), far = bent(FAR - nearest, straight, speed);
  return Path(from, heading, near, far, length(direction) * SCALE / speed, nearest, straight * speed, 1.0 / speed, vec3(0.0));
}

Path pathOf(vec3 start, vec3 direction) {
  if (KIND == BOX) return inBox(start, direction);
  if (KIND == NDC) return inNdc(start, direction);
  return contracted(start, direction);
}

// Where a path is at a distance, in voxels; w is its stretch there.
vec4 placeAt(Path path, float t) {
  if (KIND != CONTRACTED) return vec4(path.start + t * path.heading, path.stretch);
  float slope = 1.0, along = abs(t);
  if (along > path.bend) {
    slope = 1.0 / max(2.0 - along / path.bend, FARTHEST);
    along = path.bend * slope;
  }
  vec3 world = path.start + (path.nearest + sign(t) * along * path.perDistance) * path.heading;
  vec3 size = abs(world);
  float inverse = 1.0 / max(max(size.x, size.y), max(size.z, 1.0));
  float shrunk = max(inverse, FARTHEST);
  vec3 place = inVoxels(world * (2.0 - inverse) * inverse * 0.5);
  return vec4(place, path.stretch * shrunk * shrunk * slope * slope);
}

// How many steps lead out of the cube of empty cells around `cell`, at least one. Samples stay on their lattice.
int skip(Path path, vec3 place, ivec3 cell, int away) {
  vec3 middle = (vec3(cell) + 0.5) * CELL;
  float halfSide = (float(away) - 0.5) * CELL;
  if (KIND == CONTRACTED) {
    vec3 room = halfSide - abs(place - middle);
    float reach = 2.0 / (FASTEST * max(GRID_SHAPE.x, max(GRID_SHAPE.y, GRID_SHAPE.z)) * STEP);
    return max(1, int(ceil(min(room.x, min(room.y, room.z)) * reach - 1e-3)));
  }
  vec3 leave = (middle - place) * path.steps + halfSide * abs(path.steps);
  return max(1, int(ceil(min(leave.x, min(leave.y, leave.z)) - 1e-3)));
}

// Whether anything may be in the voxel of a place: a bit of its macro cell's 64.
bool isOccupied(vec3 place, ivec3 cell) {
  ivec3 voxel = clamp(ivec3(floor(place)), ivec3(0), ivec3(GRID_SHAPE) - 2) - cell * int(CELL);
  int bit = (voxel.z * int(CELL) + voxel.y) * int(CELL) + voxel.x;
  uvec2 bits = texelFetch(occupied, cell, 0).rg;
  return (((bit < 32 ? bits.x : bits.y) >> uint(bit & 31)) & 1u) == 1u;
}

// Where a place in voxels is in the textures, from 0 to 1.
vec3 texelAt(vec3 place, ivec3 cell) {
  if (blocks == 0) return (place - origin + 0.5) / size;
  ivec3 block = cell * int(CELL) / BLOCK;
  vec3 slot = vec3(texelFetch(atlas, block, 0).xyz);
  return (slot * float(BLOCK + 1) + place - vec3(block * BLOCK) + 0.5) / size;
}

float densityOf(float share) {
  float x = GAIN * (DENSITY_LOW + share * (DENSITY_HIGH - DENSITY_LOW)) + SHIFT;
  return DENSITY_SCALE * (x > 15.0 ? x : log(1.0 + exp(x)));
}

void main() {
  vec2 pixel = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec3 direction = axes * vec3((pixel.x - intrinsics.z) / intrinsics.x, (intrinsics.w - pixel.y) / intrinsics.y, -1.0);
  Path path = pathOf(position, direction);
  ivec3 last = textureSize(distances, 0) - 1;
  float light = 1.0;
  vec4 sums[TEXTURES];
  for (int i = 0; i < TEXTURES; i++) sums[i] = vec4(0.0);
  int k = 0;
  float t = path.near + 0.5 * STEP;
  // Pixels that are drawn in lockstep look for their next samples together, and then take them together.
  while (light >= STOP) {
    vec4 place;
    ivec3 cell;
    bool found = false;
    while (!found && t < path.far) {
      place = placeAt(path, t);
      cell = clamp(ivec3(floor(place.xyz / CELL)), ivec3(0), last);
      int away = int(texelFetch(distances, cell, 0).r);
      if (away > 0) {
        k += skip(path, place.xyz, cell, away);
      } else {
        k++;
        found = isOccupied(place.xyz, cell);
      }
      t = path.near + (float(k) + 0.5) * STEP;
    }
    if (!found) break;
    vec3 texel = texelAt(place.xyz, cell);
    vec4 first = texture(values0, texel);
    float left = exp(-densityOf(first.r) * STEP * place.w);
    float weight = light * (1.0 - left);
    sums[0].r += weight;
    if (weight > LEAST_WEIGHT) addValues(sums, weight, first, texel);
    light *= left;
  }
  float opacity = sums[0].r;
  vec3 own = vec3(0.0);
  if (opacity > 0.0) own = sums[0].gba + opacity * network(sums, normalize(direction));
  float solid = mix(1.0, opacity, room);
  colour = vec4(clamp(own + (solid - opacity) * BACKGROUND, 0.0, 1.0), solid);
}
