// The page's data, turned into what the graphics processor takes: corners of quads and textures of features.
//
// The documentation of nfcore describes the format ("The format of a page of polygons").

// Each byte of a number is stored apart from the others: first all lowest ones.
function planes(data, width) {
  const count = data.length / width;
  const whole = new Uint8Array(data.length);
  for (let plane = 0, at = 0; plane < width; plane++) for (let i = 0; i < count; i++) whole[i * width + plane] = data[at++];
  return whole;
}

export function unpack({ quads, texels, inset, near }, data, most) {
  const places = new Float32Array(planes(data.vertices, 4).buffer);
  const steps = new Int32Array(planes(data.corners, 4).buffer); // each is the difference from the one before
  const corners = new Float32Array(3 * steps.length);
  for (let i = 0, vertex = 0; i < steps.length; i++) {
    vertex += steps[i];
    for (let axis = 0; axis < 3; axis++) corners[3 * i + axis] = places[3 * vertex + axis];
  }
  const columns = Math.max(1, Math.ceil(Math.sqrt(quads)));
  const side = columns * texels;
  if (side > most) {
    throw new Error(`This device has textures of ${most} texels a side and the scene needs ${side}. Export it from a teacher of fewer cells.`);
  }
  return { quads, texels, inset, near, columns, side, corners, textures: textures(data.features, { quads, texels, columns, side }), ball: ball(places) };
}

// Two textures, RGBA each, that have the quads in rows; `features` has all first ones first.
function textures(features, { quads, texels, columns, side }) {
  const found = [new Uint8Array(4 * side * side), new Uint8Array(4 * side * side)];
  const count = quads * texels * texels;
  for (let texel = 0; texel < count; texel++) {
    const quad = Math.floor(texel / (texels * texels));
    const within = texel - quad * texels * texels;
    const row = Math.floor(quad / columns) * texels + Math.floor(within / texels);
    const column = (quad % columns) * texels + (within % texels);
    const at = 4 * (row * side + column);
    for (let i = 0; i < 8; i++) found[i >> 2][at + (i & 3)] = features[i * count + texel];
  }
  return found;
}

// A ball around all vertices.
function ball(places) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < places.length; i++) {
    low[i % 3] = Math.min(low[i % 3], places[i]);
    high[i % 3] = Math.max(high[i % 3], places[i]);
  }
  if (!places.length) return { centre: [0, 0, 0], radius: 1 };
  return { centre: low.map((x, i) => (x + high[i]) / 2), radius: Math.hypot(...low.map((x, i) => (high[i] - x) / 2)) };
}
