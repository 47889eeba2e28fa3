#version 300 es
// A quad's corner: where it is on the image, and in the quad's texels.
precision highp float;
precision highp int;

uniform mat3 axes; // of the camera, in the world
uniform vec3 position;
uniform vec4 intrinsics; // fx, fy, cx, cy
uniform vec2 size; // of the image in pixels
uniform vec2 range; // depths of the nearest and the farthest thing
uniform float texels; // along a quad's side
uniform float inset;

in vec3 corner;
out vec2 place;
flat out int quad;

void main() {
  quad = gl_VertexID / 4;
  int number = gl_VertexID % 4;
  place = mix(vec2(inset), vec2(texels - inset), vec2(number == 1 || number == 2, number > 1));
  vec3 seen = (corner - position) * axes;
  float depth = -seen.z;
  vec2 centre = vec2(2.0, -2.0) * intrinsics.zw / size - vec2(1.0, -1.0);
  vec2 across = centre * depth + 2.0 * intrinsics.xy / size * seen.xy;
  float near = range.x, far = range.y;
  gl_Position = vec4(across, ((far + near) * depth - 2.0 * far * near) / (far - near), depth);
}
