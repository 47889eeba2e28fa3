"""Frames of videos: upright, evenly spread, sharp, none twice."""

from __future__ import annotations

import av
import numpy as np
import pytest
import textured_room
from PIL import Image, ImageFilter

from conftest import SMALL
from nfcore import UserError
from nfcore.ui import Console
from nfcore_pose.capture import extracted_frames
from nfcore_pose.estimation import posed_capture
from nfcore_pose.frame_selection import chosen_frames, look_at, without_repeats
from nfcore_pose.video import decoded, rgb


def write_video(file, frames, *, turn=0, pixels="yuv420p", codec="libx264", **colours) -> None:
    with av.open(file, "w") as container:
        stream = container.add_stream(codec, 10, options={"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        if turn:
            stream.set_display_rotation(turn)
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def corner(size=(48, 64)) -> np.ndarray:
    """Black, with a red top left corner."""
    frame = np.zeros((*size, 3), np.uint8)
    frame[:10, :20] = 255, 0, 0
    return frame


def panning(count) -> list[np.ndarray]:
    """A window that moves over noise."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64 + 4 * count, 3), np.uint8)
    wide = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3)))
    return [wide[:, 4 * index : 4 * index + 64] for index in range(count)]


@pytest.mark.parametrize(
    ("turn", "shape", "where"),
    [(0, (48, 64), (4, 9)), (90, (64, 48), (53, 4)), (-90, (64, 48), (9, 42)), (180, (48, 64), (42, 53))],
)
def test_frames_are_turned_as_the_rotation_flag_says(tmp_path, turn, shape, where):
    write_video(tmp_path / "film.mp4", [corner()] * 3, turn=turn)
    frame = rgb(next(decoded(tmp_path / "film.mp4")))
    assert frame.shape == (*shape, 3)
    assert np.argwhere(frame[..., 0] > 128).mean(0) == pytest.approx(where, abs=1)


def test_hdr_frames_get_plain_colours(tmp_path):
    hlg = {"color_trc": 18, "color_primaries": 9, "colorspace": 9}
    write_video(tmp_path / "film.mov", [corner()] * 3, pixels="yuv420p10le", codec="libx264", **hlg)
    frame = rgb(next(decoded(tmp_path / "film.mov")))
    assert frame.dtype == np.uint8
    assert frame[5, 10, 0] > 200
    assert frame[40, 40].max() < 20


def test_a_camera_that_stands_still_uses_up_no_frames(tmp_path):
    moving = panning(12)
    write_video(tmp_path / "film.mp4", [*moving[:6], *[moving[5]] * 30, *moving[6:]])
    kept = [look.index for look in without_repeats(looks(tmp_path / "film.mp4"))]
    assert len(kept) == 12
    assert [index for index in kept if not 5 <= index < 36] == [*range(5), *range(36, 42)]


def looks(video):
    return [look_at(index, rgb(frame)) for index, frame in enumerate(decoded(video))]


def test_the_sharpest_frame_of_each_stretch_is_taken():
    sharp = {3, 7, 11, 13}
    frames = [
        frame if index in sharp else np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(2)))
        for index, frame in enumerate(panning(16))
    ]
    assert set(chosen_frames([look_at(*each) for each in enumerate(frames)], 4)) == sharp


def test_frames_are_spread_over_the_whole_video(tmp_path):
    write_video(tmp_path / "film.mp4", panning(40))
    stages = []
    photos = extracted_frames(tmp_path / "film.mp4", 8, tmp_path / "frames", lambda *each: stages.append(each))
    assert len(photos) == 8
    assert stages[-1] == ("frames", 8, 8, "frame")
    indices = chosen_frames(looks(tmp_path / "film.mp4"), 8)
    assert np.diff([0, *indices, 40]).max() <= 10


def test_a_video_of_one_picture_is_refused(tmp_path):
    write_video(tmp_path / "film.mp4", [corner()] * 20)
    with pytest.raises(UserError, match="only 1 frame"):
        extracted_frames(tmp_path / "film.mp4", 8, tmp_path / "frames", lambda *_: None)


def test_a_video_that_was_cut_off_gives_the_frames_it_has(tmp_path):
    write_video(tmp_path / "film.mkv", panning(40))
    whole = (tmp_path / "film.mkv").read_bytes()
    (tmp_path / "film.mkv").write_bytes(whole[: 2 * len(whole) // 3])
    assert 5 < len(list(decoded(tmp_path / "film.mkv"))) < 40


@pytest.mark.slow
def test_a_video_is_posed(tmp_path):
    frames = [textured_room.photo(pose) for pose in textured_room.walk(7)]
    write_video(tmp_path / "film.mp4", frames)
    with Console(quiet=True) as console:
        capture = posed_capture(tmp_path / "film.mp4", SMALL, console)
    assert capture.posed.registered == capture.posed.photos == 7
    assert (capture.folder / "images" / "0006.jpg").is_file()
