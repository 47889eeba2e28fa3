#version 300 es
// The features of the texel that a sample shows; the first is 0 where there is no texel.
precision highp float;
precision highp int;
precision highp sampler2D;

uniform sampler2D features0;
uniform sampler2D features1;
uniform float texels; // along a quad's side
uniform int columns; // quads along the texture's

in vec2 place;
flat in int quad;
layout(location = 0) out vec4 first;
layout(location = 1) out vec4 second;

void main() {
  int side = int(texels);
  ivec2 texel = ivec2(quad % columns, quad / columns) * side + clamp(ivec2(place), ivec2(0), ivec2(side - 1));
  first = texelFetch(features0, texel, 0);
  if (first.r == 0.0) discard;
  second = texelFetch(features1, texel, 0);
}
