"""The rows of numbers that the kernels share. No numba here: torch renders by the same numbers without it."""

from __future__ import annotations

#: Pixels along each side of a tile.
TILE = 16

# A projected Gaussian: centre in pixels; inverse of its covariance there (xx, xy, yy); opacity; colour; depth;
# half of the width and of the height in which its alpha reaches 1/255, negative where it is not seen.
CENTRE, INVERSE, OPACITY, COLOUR, DEPTH, HALF = 0, 2, 5, 6, 9, 10
COLUMNS = 12
# Gradients of the first nine of these.
GRADIENTS = 9

# A camera: fx, fy, cx, cy, width, height, variance of the low-pass filter in pixels, and 1 where opacities make up
# for that filter.
FOCUS, PRINCIPAL, SIZE, BLUR, COMPENSATED = 0, 2, 4, 6, 7

#: Alpha below the first is skipped, above the second clamped; a pixel is finished below the transmittance.
LEAST_ALPHA, GREATEST_ALPHA, LEAST_TRANSMITTANCE = 1 / 255, 0.99, 1e-4
#: Gaussians nearer to the camera's plane, in scene units, are not rendered.
NEAR = 0.01
