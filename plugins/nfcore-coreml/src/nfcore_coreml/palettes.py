"""Palettes of weights: the best 2 ** bits values for a tensor, by k-means.

In one dimension the best clusters are found exactly by dynamic programming (Xiaolin Wu 1991; Gronlund et al. 2017,
section 2.2), without seed or initialisation: the same weights give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from nfcore_coreml.toolchain import kmeans1d


def palette(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the palette (2 ** bits,) in the type of ``weights``, ascending, and the indices of all weights, flat.

    Equal fp16 weights are counted, not repeated: of 260,000 weights fewer than 20,000 are distinct. A palette with
    more entries than distinct values repeats the last one.
    """
    values, places, counts = np.unique(weights, return_inverse=True, return_counts=True)
    size = 2**bits
    found = kmeans1d.cluster(values.astype(np.float64), min(size, len(values)), weights=counts)
    centroids = np.array(found.centroids)
    padded = np.pad(centroids, (0, size - len(centroids)), mode="edge").astype(weights.dtype)
    return padded, np.array(found.clusters, np.uint8)[places.reshape(-1)]


class Palettes:
    """The palettes of many tensors, computed in parallel: the native k-means releases the GIL.

    Args:
        tensors: weights, each with the bits of its palette.

    """

    def __init__(self, tensors: Iterable[tuple[np.ndarray, int]]) -> None:
        pairs = list(tensors)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            palettes = pool.map(lambda pair: palette(*pair), pairs)
            self._found = {_key(*pair): its for pair, its in zip(pairs, palettes, strict=True)}

    def of(self, weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what ``palette`` returns, precomputed for the given tensors."""
        found = self._found.get(_key(weights, bits))
        return palette(weights, bits) if found is None else found


def _key(weights: np.ndarray, bits: int) -> tuple[bytes, int]:
    return weights.tobytes(), bits


def palettized(weight: Tensor, bits: int) -> Tensor:
    """Return ``weight`` rounded to a palette of ``bits`` bits, in its own type and shape."""
    entries, indices = palette(weight.detach().cpu().numpy().astype(np.float16), bits)
    return torch.from_numpy(entries[indices]).reshape(weight.shape).to(weight)
