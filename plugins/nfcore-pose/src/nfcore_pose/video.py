"""Frames of a video as upright RGB images, decoded by FFmpeg (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

from nfcore import UserError

_HDR = (int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67))


def frame_count(video: Path) -> int:
    """Return about how many frames a video has, by its header; 0 where it does not say."""
    with _opened(video) as (_, stream):
        if stream.frames:
            return int(stream.frames)
        rate, base = stream.average_rate, stream.time_base
        return int(stream.duration * base * rate) if stream.duration and rate and base else 0


def decoded(video: Path) -> Iterator[VideoFrame]:
    """Yield the frames of a video in the order in which they are shown, up to a damaged place if it has one.

    Raises:
        UserError: it is no video that can be read.

    """
    with _opened(video) as (container, stream):
        stream.thread_type = "AUTO"
        frames = container.decode(stream)
        any_frame = False
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                if any_frame:
                    return  # a recording that was cut off
                raise UserError(f"{video} is no complete video: {_reason(error)}") from None
            any_frame = True
            yield frame


def rgb(frame: VideoFrame, longer_side: int | None = None) -> NDArray[np.uint8]:
    """Return a frame as (height, width, 3) RGB, upright, scaled down to ``longer_side`` pixels.

    Turns are those of the video's rotation flag. HDR colours are mapped to those of a plain display, and pixels
    that are not square become square.
    """
    width, height = _square(frame)
    scale = min(1.0, (longer_side or max(width, height)) / max(width, height))
    hdr = frame.color_trc in _HDR
    plain = frame.reformat(
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        format="rgb24",
        interpolation="AREA" if scale < 1 else None,
        dst_color_trc=ColorTrc.BT709 if hdr else None,
        dst_color_primaries=ColorPrimaries.BT709 if hdr else None,
    )
    pixels: NDArray[np.uint8] = plain.to_ndarray().astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def _square(frame: VideoFrame) -> tuple[int, int]:
    """Return width and height of a frame with square pixels."""
    shape = getattr(frame, "sample_aspect_ratio", None)
    if not shape or shape == 1:
        return frame.width, frame.height
    return round(frame.width * shape), frame.height


@contextmanager
def _opened(
    video: Path,
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    try:
        container = av.open(str(video))
    except av.error.FFmpegError as error:
        raise UserError(f"{video} is no video that can be read: {_reason(error)}") from None
    with container:
        if not container.streams.video:
            raise UserError(f"{video} has no pictures, only sound: give a video")
        yield container, container.streams.video[0]


def _reason(error: av.error.FFmpegError) -> str:
    return error.strerror or type(error).__name__
