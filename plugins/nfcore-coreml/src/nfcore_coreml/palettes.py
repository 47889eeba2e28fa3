"""Palettes of weights: the best 2 ** bits values to stand for all of a tensor's, by k-means.

Weights are numbers on a line, where the best clusters are found exactly by dynamic programming (Xiaolin Wu 1991;
Gronlund et al. 2017, section 2.2): no seed and no start decides, and the same weights give the same bytes.
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

    Equal fp16 weights are counted and not repeated: of 260,000 weights fewer than 20,000 differ. A palette with
    room for more values than there are repeats the last one.
    """
    values, places, counts = np.unique(weights, return_inverse=True, return_counts=True)
    size = 2**bits
    found = kmeans1d.cluster(values.astype(np.float64), min(size, len(values)), weights=counts)
    centroids = np.array(found.centroids)
    padded = np.pad(centroids, (0, size - len(centroids)), mode="edge").astype(weights.dtype)
    return padded, np.array(found.clusters, np.uint8)[places.reshape(-1)]


class Palettes:
    """The palettes of many tensors, found side by side: the k-means is native code and lets other threads run.

    Args:
        tensors: weights, each with the bits of its palette.

    """

    def __init__(self, tensors: Iterable[tuple[np.ndarray, int]]) -> None:
        pairs = list(tensors)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            palettes = pool.map(lambda pair: palette(*pair), pairs)
            self._found = {_key(*pair): its for pair, its in zip(pairs, palettes, strict=True)}

    def of(self, weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what ``palette`` returns, at once for the tensors that were given."""
        found = self._found.get(_key(weights, bits))
        return palette(weights, bits) if found is None else found


def _key(weights: np.ndarray, bits: int) -> tuple[bytes, int]:
    return weights.tobytes(), bits


def palettized(weight: Tensor, bits: int) -> Tensor:
    """Return ``weight`` as a package with a palette of ``bits`` bits holds it, in its own type and shape."""
    entries, indices = palette(weight.detach().cpu().numpy().astype(np.float16), bits)
    return torch.from_numpy(entries[indices]).reshape(weight.shape).to(weight)
