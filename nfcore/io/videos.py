"""Videos and image sequences on disk: MP4, WebM, GIF, a folder of PNG; written frame by frame, atomically."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from PIL import Image
from torch import Tensor

from nfcore.errors import NfcoreError
from nfcore.io.atomic import atomic_path
from nfcore.io.images import enlarged, save_png, to_bytes

# H.264 plays everywhere. VP9 gets constant quality: libvpx's own settings are for video calls.
_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    ".mp4": ("libx264", {}),
    ".webm": ("libvpx-vp9", {"crf": "24", "b": "0", "row-mt": "1"}),
}


#: Suffixes of the files that ``save_video`` writes.
ENDINGS = (*_CODECS, ".gif")


def save_video(path: Path, frames: Iterable[Tensor], fps: float = 30, *, enlarge: bool = True) -> None:
    """Write frames (h, w, 3) in [0, 1] as ``.mp4`` (H.264), ``.webm`` (VP9) or ``.gif``, atomically, one by one.

    Args:
        path: its suffix chooses the format.
        frames: all of one size; in MP4 and WebM an odd side loses its last row or column.
        fps: frames per second; in a GIF rounded to whole hundredths of a second per frame.
        enlarge: repeat the pixels of small frames, so that single pixels are visible.

    """
    images = (enlarged(frame, frame.shape[0]) if enlarge else frame for frame in frames)
    with atomic_path(path) as temporary:
        if path.suffix == ".gif":
            _save_gif(temporary, images, fps)
        else:
            _encode(temporary, images, fps)


def save_sequence(folder: Path, frames: Iterable[Tensor]) -> None:
    """Write frames (h, w, 3) in [0, 1] as ``0000.png``, ``0001.png``, ... into ``folder``, which is created."""
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        save_png(folder / f"{index:04}.png", frame)


def _encode(path: Path, frames: Iterable[Tensor], fps: float) -> None:
    import av  # all of FFmpeg: imported only when a video is written

    codec, options = _CODECS[path.suffix]
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, Fraction(fps).limit_denominator(1001), options=options)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(frames):
            # 4:2:0 colour needs even sides
            pixels = to_bytes(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _save_gif(path: Path, frames: Iterable[Tensor], fps: float) -> None:
    pictures = (Image.fromarray(to_bytes(frame)).quantize() for frame in frames)
    first = next(pictures, None)
    if first is None:
        raise NfcoreError(f"{path.name}: no frames")
    first.save(path, "gif", save_all=True, append_images=pictures, duration=max(20, round(100 / fps) * 10), loop=0)
