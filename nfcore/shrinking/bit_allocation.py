"""Bit allocation: a sequence from all layers uncompressed to all layers at their fewest bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nfcore.shrinking.sensitivity import Sensitivity

#: Bits of an uncompressed weight.
UNCOMPRESSED = 16


@dataclass(frozen=True)
class BitAllocation:
    """Bits of some layers; the others are uncompressed.

    Args:
        error: the expected mean squared error of the images: the sum over the layers.
        bits: the bits of each layer, by its module name.

    """

    error: float
    bits: Mapping[str, int] = field(default_factory=dict)


def bit_allocations(layers: Mapping[str, Sensitivity]) -> list[BitAllocation]:
    """Return ever smaller allocations; each step adds the least error per bit saved.

    The errors of layers rounded separately are additive as long as they are small: Zhou et al., "Adaptive
    Quantization for Deep Neural Network" (AAAI 2018). Then repeatedly taking the step of the best ratio
    follows the lower convex hull of what any choice of bits could reach: Shoham and Gersho, "Efficient bit
    allocation for an arbitrary set of quantizers" (IEEE Transactions on Acoustics, Speech and Signal Processing,
    1988).

    Args:
        layers: the sensitivity of each layer, by its name.

    Returns:
        Allocations, the first with every layer uncompressed, the last with every layer at its fewest bits.

    Example:
        >>> layers = {"a": Sensitivity(100, {8: 1e-6, 4: 1e-3}), "b": Sensitivity(100, {8: 1e-5, 4: 2e-3})}
        >>> [dict(allocation.bits) for allocation in bit_allocations(layers)][:3]
        [{}, {'a': 8}, {'a': 8, 'b': 8}]

    """
    errors = {name: {UNCOMPRESSED: 0.0} | dict(layer.errors) for name, layer in layers.items()}
    bits = dict.fromkeys(layers, UNCOMPRESSED)
    path = [BitAllocation(0.0)]
    while steps := [
        ((errors[name][fewer] - errors[name][now]) / ((now - fewer) * layers[name].weights), name, fewer)
        for name, now in bits.items()
        for fewer in errors[name]
        if fewer < now
    ]:
        _, name, fewer = min(steps)
        bits[name] = fewer
        total = sum(errors[layer][count] for layer, count in bits.items())
        path.append(BitAllocation(total, {layer: count for layer, count in bits.items() if count != UNCOMPRESSED}))
    return path
