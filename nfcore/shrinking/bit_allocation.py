"""Which layer gets how many bits: a path from all weights whole to all at their fewest bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nfcore.shrinking.sensitivity import Sensitivity

#: Bits of a weight that nothing was done to.
WHOLE = 16


@dataclass(frozen=True)
class Allocation:
    """Bits for some layers; the others stay whole.

    Args:
        error: the mean squared error that the pictures are expected to have for it: the sum of the layers'.
        bits: by the layer's module name.

    """

    error: float
    bits: Mapping[str, int] = field(default_factory=dict)


def allocations(layers: Mapping[str, Sensitivity]) -> list[Allocation]:
    """Return ever smaller allocations: each step costs the least error for a bit that it saves.

    The errors of layers that are rounded on their own add up, as long as they are small: Zhou et al., "Adaptive
    Quantization for Deep Neural Network" (AAAI 2018). Then taking the step of the best ratio, again and again,
    walks along the lower convex hull of what any choice of bits could reach: Shoham and Gersho, "Efficient bit
    allocation for an arbitrary set of quantizers" (IEEE Transactions on Acoustics, Speech and Signal Processing,
    1988).

    Args:
        layers: what was measured of each layer, by its name.

    Returns:
        Allocations, the first with every layer whole, the last with every layer at its fewest bits.

    """
    errors = {name: {WHOLE: 0.0} | dict(layer.errors) for name, layer in layers.items()}
    bits = dict.fromkeys(layers, WHOLE)
    path = [Allocation(0.0)]
    while steps := [
        ((errors[name][fewer] - errors[name][now]) / ((now - fewer) * layers[name].weights), name, fewer)
        for name, now in bits.items()
        for fewer in errors[name]
        if fewer < now
    ]:
        _, name, fewer = min(steps)
        bits[name] = fewer
        total = sum(errors[layer][count] for layer, count in bits.items())
        path.append(Allocation(total, {layer: count for layer, count in bits.items() if count != WHOLE}))
    return path
