"""What a pixel costs where it is drawn: filtered look-ups, the texels that they read, and multiply-adds."""

from __future__ import annotations

from nfcore import Cameras
from nfcore_webgl.evaluator import Evaluator
from nfcore_webgl.shaders import textures_of

_RAYS = 4096
#: A filtered look-up reads eight texels of four bytes, and interpolates four channels.
_BYTES, _MACS = 8 * 4, 8 * 4


def work_per_pixel(evaluator: Evaluator, cameras: Cameras) -> dict[str, float]:
    """Return the mean over pixels of ``cameras`` of filtered look-ups, bytes that they read, and multiply-adds.

    Caches of the graphics processor serve most of these bytes; look-ups of macro cells are not counted.
    """
    samples = shown = hit = pixels = 0
    for rays in cameras.rays().flat().split(_RAYS):
        found = evaluator.samples(rays)
        samples += len(found.ray)
        shown += int((found.weight > evaluator.header.march.least).sum())
        hit += len(found.ray.unique())
        pixels += len(rays)
    look_ups = samples + shown * (textures_of(evaluator.header.values) - 1)
    network = sum(len(layer.weight) * len(layer.weight[0]) for layer in evaluator.header.network)
    return {
        "look-ups": round(look_ups / pixels, 2),
        "bytes": round(look_ups * _BYTES / pixels, 1),
        "multiply-adds": round((look_ups * _MACS + hit * network) / pixels, 1),
    }
