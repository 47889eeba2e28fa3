#version 300 es
// A pixel's colour: the mean of the features at its four samples and its direction, through the network.
precision highp float;
precision highp int;
precision highp sampler2D;

uniform sampler2D samples0;
uniform sampler2D samples1;
uniform mat3 axes; // of the camera, in the world
uniform vec4 intrinsics; // fx, fy, cx, cy
uniform vec2 size; // of the image in pixels
out vec4 colour;

//: constants

vec3 network(vec4 features0, vec4 features1, vec4 direction) {
//: network
}

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  vec4 sum0 = vec4(0.0), sum1 = vec4(0.0);
  float hits = 0.0;
  for (int i = 0; i < 4; i++) {
    ivec2 at = 2 * pixel + ivec2(i & 1, i >> 1);
    vec4 features = texelFetch(samples0, at, 0);
    if (features.r == 0.0) continue;
    sum0 += features;
    sum1 += texelFetch(samples1, at, 0);
    hits += 1.0;
  }
  colour = vec4(BACKGROUND, 1.0);
  if (hits == 0.0) return;
  vec2 place = vec2(gl_FragCoord.x, size.y - gl_FragCoord.y) - intrinsics.zw;
  vec3 direction = normalize(axes * vec3(place * vec2(1.0, -1.0) / intrinsics.xy, -1.0));
  colour.rgb = mix(BACKGROUND, network(sum0 / hits, sum1 / hits, vec4(direction, 0.0)), hits / 4.0);
}
