// The page's data turned into the textures that the fragment shader reads.
//
// The documentation of nfcore describes the format ("The files of a baked field").

const CELL = 4; // voxels along a macro cell's side
const BLOCK = 8; // and along a block's, which is stored with 9 x 9 x 9 vertices
const DENSE_BYTES = 64 * 2 ** 20; // of textures: a box of more than that is stored in blocks
const NO_BLOCK = 255;

// How the vertices are stored in textures: a box of the grid, or an atlas of blocks. `most` is a texture's greatest side.
export function arrange(header, distances, most) {
  const textures = Math.ceil((1 + header.values) / 4);
  const { low, high } = occupiedBox(header.grid, distances);
  const size = high.map((end, axis) => end - low[axis]);
  const bytes = 4 * textures * size[0] * size[1] * size[2];
  if (Math.max(...size) <= most && bytes <= DENSE_BYTES) return { textures, size, origin: low, blocks: null };
  return { textures, origin: [0, 0, 0], ...atlas(header.grid, distances, most) };
}

// The first vertex, and the one after the last, of the box around occupied cells.
export function occupiedBox({ cells, shape }, distances) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-1, -1, -1];
  eachCell(cells, distances, (cell) => {
    for (let axis = 0; axis < 3; axis++) {
      low[axis] = Math.min(low[axis], cell[axis] * CELL);
      high[axis] = Math.max(high[axis], Math.min(shape[axis], (cell[axis] + 1) * CELL + 1));
    }
  });
  return high[0] < 0 ? { low: [0, 0, 0], high: [2, 2, 2] } : { low, high };
}

function eachCell([nx, ny, nz], distances, visit) {
  let i = 0;
  for (let z = 0; z < nz; z++) for (let y = 0; y < ny; y++) for (let x = 0; x < nx; x++) if (distances[i++] === 0) visit([x, y, z]);
}

function atlas({ cells, shape }, distances, most) {
  const count = cells.map((n) => Math.ceil((n * CELL) / BLOCK));
  const slots = new Map(); // the number of each block, by its place in the grid
  eachCell(cells, distances, (cell) => {
    const [x, y, z] = cell.map((n) => Math.floor((n * CELL) / BLOCK));
    const place = (z * count[1] + y) * count[0] + x;
    if (!slots.has(place)) slots.set(place, slots.size);
  });
  const side = Math.max(1, Math.ceil(Math.cbrt(slots.size)));
  const across = [side, side, Math.max(1, Math.ceil(slots.size / side ** 2))];
  const size = across.map((n) => n * (BLOCK + 1));
  if (Math.max(...size) > most) {
    throw new Error(`This device has textures of ${most} texels a side and the scene needs ${Math.max(...size)}. Export it from a teacher of a lower resolution.`);
  }
  const index = new Uint8Array(4 * count[0] * count[1] * count[2]).fill(NO_BLOCK);
  for (const [place, slot] of slots) {
    index.set([slot % side, Math.floor(slot / side) % side, Math.floor(slot / side ** 2), 0], 4 * place);
  }
  return { size, blocks: { count, index } };
}

// The bits of all voxels as a texture: 64 of each macro cell, x fastest, lowest bit first.
export function occupiedBits({ shape, cells }, voxels) {
  const bits = new Uint32Array(2 * cells[0] * cells[1] * cells[2]);
  eachVoxel(shape, voxels, (x, y, z) => {
    const [cx, cy, cz] = [x, y, z].map((place) => Math.floor(place / CELL));
    const bit = ((z % CELL) * CELL + (y % CELL)) * CELL + (x % CELL);
    bits[2 * ((cz * cells[1] + cy) * cells[0] + cx) + (bit >> 5)] |= 1 << (bit & 31);
  });
  return bits;
}

// The stored vertices: 1 for each corner of an occupied voxel.
function cornersOf(shape, voxels) {
  const [nx, ny, nz] = shape;
  const corners = new Uint8Array(nx * ny * nz);
  eachVoxel(shape, voxels, (x, y, z) => {
    const first = (z * ny + y) * nx + x;
    for (const row of [first, first + nx, first + nx * ny, first + nx * ny + nx]) corners[row] = corners[row + 1] = 1;
  });
  return corners;
}

function eachVoxel([nx, ny], voxels, visit) {
  eachBit(voxels, (index) => {
    const x = index % (nx - 1);
    const line = (index - x) / (nx - 1);
    const y = line % (ny - 1);
    visit(x, y, (line - y) / (ny - 1));
  });
}

// Decode the vertices and write them where `layout` has them; return the RGBA textures.
export function decodeVertices(header, layout, voxels, differences) {
  const [nx, ny] = header.grid.shape;
  const channels = 1 + header.values;
  const count = differences.length / channels;
  const volume = layout.size[0] * layout.size[1] * layout.size[2];
  const values = Array.from({ length: layout.textures }, () => new Uint8Array(4 * volume));
  const codes = new Uint8Array((count + 1) * channels); // row 0 is that of a vertex that is not stored
  let [slice, before] = [new Int32Array(nx * ny), new Int32Array(nx * ny)]; // rows of a slice's vertices, and of the one below
  let depth = 0;
  let row = 0;
  cornersOf(header.grid.shape, voxels).forEach((stored, index) => {
    if (!stored) return;
    const x = index % nx;
    const line = (index - x) / nx;
    const y = line % ny;
    const z = (line - y) / ny;
    for (; depth < z; depth++) {
      [slice, before] = [before, slice];
      slice.fill(0);
    }
    row++;
    const at = y * nx + x;
    const [along, across, below] = [x > 0 ? slice[at - 1] : 0, y > 0 ? slice[at - nx] : 0, before[at]];
    predict(codes, differences, row, count, channels, along, across, below);
    slice[at] = row;
    place(values, layout, x, y, z, codes, row * channels, channels);
  });
  return values;
}

function eachBit(data, visit) {
  for (let i = 0; i < data.length; i++) {
    const byte = data[i];
    for (let bit = 0; byte && bit < 8; bit++) if (byte & (128 >> bit)) visit(8 * i + bit);
  }
}

// A vertex's codes: the mean of its lower neighbours' plus what is stored; the second and third value also follow the
// first one's difference from its prediction.
function predict(codes, differences, row, count, channels, along, across, below) {
  const neighbours = Math.max(1, (along > 0) + (across > 0) + (below > 0));
  let lead = 0;
  for (let channel = 0; channel < channels; channel++) {
    const sum = codes[along * channels + channel] + codes[across * channels + channel] + codes[below * channels + channel];
    let guess = Math.floor(sum / neighbours);
    if (channel === 2 || channel === 3) guess = Math.max(0, Math.min(255, guess + lead));
    const value = (guess + differences[channel * count + row - 1]) & 255;
    codes[row * channels + channel] = value;
    if (channel === 1) lead = value - guess;
  }
}

function place(values, { size, origin, blocks }, x, y, z, codes, from, channels) {
  const write = (i, j, k) => {
    const texel = 4 * ((k * size[1] + j) * size[0] + i);
    for (let channel = 0; channel < channels; channel++) values[channel >> 2][texel + (channel & 3)] = codes[from + channel];
  };
  if (!blocks) {
    const [i, j, k] = [x - origin[0], y - origin[1], z - origin[2]];
    if (i >= 0 && j >= 0 && k >= 0 && i < size[0] && j < size[1] && k < size[2]) write(i, j, k);
    return;
  }
  // A vertex on the border of blocks is stored in each of them.
  for (const bz of blocksAt(z)) {
    for (const by of blocksAt(y)) {
      for (const bx of blocksAt(x)) {
        if (bx < 0 || by < 0 || bz < 0 || bx >= blocks.count[0] || by >= blocks.count[1] || bz >= blocks.count[2]) continue;
        const slot = 4 * ((bz * blocks.count[1] + by) * blocks.count[0] + bx);
        if (blocks.index[slot] === NO_BLOCK) continue;
        const start = (axis, own, block) => blocks.index[slot + axis] * (BLOCK + 1) + own - block * BLOCK;
        write(start(0, x, bx), start(1, y, by), start(2, z, bz));
      }
    }
  }
}

function blocksAt(place) {
  const block = Math.floor(place / BLOCK);
  return place % BLOCK ? [block] : [block - 1, block];
}
