"""Photos that are decoded when they are asked for behave as the tensor in whose place they stand."""

from __future__ import annotations

import threading

import pytest
import torch

from nfcore import Cameras, Views
from nfcore.scene import PhotoStack, photo_stack

BACKGROUND = (0.2, 0.4, 0.6)


class Album:
    """Random photos, and how often each was decoded."""

    def __init__(self, channels: int) -> None:
        self.pixels = torch.randint(
            0, 256, (5, 4, 6, channels), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
        )
        self.read: list[int] = []
        self.stack = PhotoStack(self.decode, tuple(self.pixels.shape), BACKGROUND)

    def decode(self, index: int) -> torch.Tensor:
        self.read.append(index)
        return self.pixels[index]

    @property
    def truth(self) -> torch.Tensor:
        """What ``load_photos`` makes of such photos."""
        colours = self.pixels[..., :3].float() / 255
        if self.pixels.shape[-1] == 3:
            return colours
        return colours + (1 - self.pixels[..., 3:].float() / 255) * (torch.tensor(BACKGROUND) - colours)


@pytest.fixture(params=[3, 4], ids=["RGB", "RGBA"])
def album(request) -> Album:
    return Album(request.param)


INDICES = [
    2,
    -1,
    slice(1, 4),
    slice(None),
    [4, 0],
    torch.tensor([1, 1]),
    torch.tensor([True, False, True, False, False]),
]


@pytest.mark.parametrize("index", INDICES, ids=map(str, INDICES))
def test_it_is_indexed_as_the_tensor_that_it_stands_for(album, index):
    assert torch.equal(album.stack[index], album.truth[index])
    if album.stack.alpha is not None:
        assert torch.equal(album.stack.alpha[index], album.pixels[index][..., 3].float() / 255)


def test_a_photo_is_decoded_once_and_when_it_is_asked_for(album):
    assert album.stack.shape == (5, 4, 6, 3) and len(album.stack) == 5
    assert album.stack.dtype == torch.float32
    assert album.read == []
    album.stack[3], album.stack[3:], album.stack[-2]
    assert album.read == [3, 4]
    assert repr(album.stack) == "PhotoStack(5 of 4x6, 2 decoded)"
    assert torch.equal(torch.stack(list(album.stack)), album.truth)


def test_threads_that_ask_for_one_photo_get_it_decoded_once(album):
    threads = [threading.Thread(target=album.stack.__getitem__, args=(1,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert album.read == [1]


def test_pixels_are_gathered_without_a_float_tensor_of_all_photos(album):
    index = torch.tensor([0, 23, 24 * 3 + 7, 5])
    assert torch.equal(album.stack.pixels(index), album.truth.reshape(-1, 3)[index])
    assert album.read == [0, 3]


def test_views_of_a_stack_choose_and_gather_as_views_of_a_tensor(album):
    cameras = Cameras(torch.eye(3, 4).repeat(5, 1, 1), torch.ones(5, 4), 4, 6)
    names = tuple("abcde")
    alpha = None if album.stack.alpha is None else album.pixels[..., 3].float() / 255
    lazy, eager = Views(cameras, album.stack, album.stack.alpha, names), Views(cameras, album.truth, alpha, names)
    few, same = lazy.chosen([4, 2]), eager.chosen([4, 2])
    assert album.read == []
    index = torch.tensor([0, 40])
    assert torch.equal(few.pixels(index), same.pixels(index))
    assert torch.equal(few.images[:], same.images)
    if alpha is not None:
        assert torch.equal(few.alpha[:], same.alpha)
        assert all(torch.equal(a, b) for a, b in zip(few.silhouettes, same.silhouettes, strict=True))
    assert few.names == ("e", "c") and album.read == [4, 2]
    assert lazy.to("cpu").images is album.stack


def test_beyond_the_memory_decoded_photos_are_in_a_file_that_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(photo_stack, "_IN_MEMORY", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    album = Album(4)
    assert torch.equal(album.stack[:], album.truth)
    assert list(tmp_path.iterdir()) == []
