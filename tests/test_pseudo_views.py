"""Pseudo views come when they are due, whoever renders them, and stay within their memory."""

from __future__ import annotations

import errno
import os
import threading
import time
from contextlib import closing

import pytest
import tiny
import torch
from tiny_cameras import assert_each_image_is_what_its_camera_sees

from nfcore import NfcoreError
from nfcore.interfaces.boundaries import ContractError
from nfcore.views import storage
from nfcore.views.crops import CropRule, sample_crops
from nfcore.views.pseudo_views import PseudoViews
from nfcore.views.render_ahead import RenderAhead
from nfcore.views.storage import allocate_views

VIEW_GIB = 16 * 16 * 3 / 2**30


@pytest.fixture(params=[0, 1, 3], ids=["inline", "one worker", "three workers"])
def workers(request) -> int:
    return request.param


def pseudo_views(teacher=None, capacity: int = 10, **changes) -> PseudoViews:
    settings = {"count": 10, "first": 3, "per_step": 0.5, "seed": 1, "workers": 0} | changes
    images = torch.empty((capacity, 16, 16, 3), dtype=torch.uint8)
    return PseudoViews(teacher or tiny.fitted_teacher(), tiny.Ring(tiny.Ring.Options()), images, **settings)


# -- when they come ----------------------------------------------------------------------------------


def test_pseudo_views_appear_on_schedule_and_stop_at_their_number(workers):
    with closing(pseudo_views(workers=workers)) as views:
        counts = {}
        for step in (0, 1, 2, 6, 13, 14, 15, 99):
            views.prepare(step)
            counts[step] = len(views)
        assert counts == {0: 3, 1: 3, 2: 4, 6: 6, 13: 9, 14: 10, 15: 10, 99: 10}
        assert views.ids.tolist() == list(range(10))
        assert_each_image_is_what_its_camera_sees(views)


def test_no_view_is_rendered_twice(workers):
    calls = []

    class Counting(tiny.Sky):
        def render(self, rays):
            calls.append(float(rays.origins[0, 0]))
            return super().render(rays)

    teacher = Counting(Counting.Options(), tiny.SCENE)
    teacher.load_state_dict(tiny.fitted_teacher().state_dict())
    with closing(pseudo_views(teacher, workers=workers)) as views:
        for step in range(30):
            views.prepare(step)
    assert sorted(calls) == sorted(views.path.poses[:, 0, 3].tolist())


def test_an_interrupted_training_sees_the_views_that_it_would_have_seen(workers):
    through, again = pseudo_views(capacity=4), pseudo_views(capacity=4, workers=workers)
    for step in range(12):
        through.prepare(step)
    with closing(again):
        again.prepare(0)
        again.prepare(11)
    assert torch.equal(through.images, again.images)
    assert torch.equal(through.cameras.poses, again.cameras.poses)
    assert torch.equal(through.windows, again.windows)
    assert torch.equal(through.ids, again.ids)


def test_beyond_the_memory_new_views_replace_the_oldest(workers):
    with closing(pseudo_views(capacity=4, workers=workers)) as views:
        views.prepare(0)
        assert len(views) == 3
        views.prepare(4)  # five are due, four fit: the fifth takes the place of the first
        assert len(views) == 4
        assert torch.equal(views.cameras.poses[0], views.path.poses[4])
        assert torch.equal(views.cameras.poses[1:], views.path.poses[1:4])
        assert_each_image_is_what_its_camera_sees(views)
        views.prepare(99)
        assert torch.equal(views.cameras.poses, views.path.poses[[8, 9, 6, 7]])
        assert views.ids.tolist() == [8, 9, 6, 7]
        assert_each_image_is_what_its_camera_sees(views)


def test_the_cameras_of_pseudo_views_follow_from_the_seed():
    poses = [pseudo_views(seed=seed).path.poses for seed in (1, 1, 2)]
    assert torch.equal(poses[0], poses[1])
    assert not torch.equal(poses[0], poses[2])


def test_crops_come_only_from_views_that_are_there(generator):
    views = pseudo_views(count=10, first=2)
    views.prepare(0)
    views.images[2:] = 0  # memory that no view was rendered to; the sky is nowhere black
    images = sample_crops(views, 100, CropRule(100, 1, 4), generator).images
    assert (images.sum(1) > 0).all()


# -- what can go wrong -------------------------------------------------------------------------------


def test_a_teacher_that_renders_nan_is_an_error_that_names_the_view(workers):
    teacher = tiny.fitted_teacher()
    teacher.brightness.data.fill_(float("nan"))
    with (
        closing(pseudo_views(teacher, workers=workers)) as views,
        pytest.raises(ContractError, match=r"teacher\.finite.*pseudo view 0"),
    ):
        views.prepare(0)


def test_a_teacher_that_shows_nothing_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(tiny, "passes_ball", lambda rays: torch.zeros_like(rays.origins[..., 0]))
    with pytest.raises(NfcoreError, match=r"first 3 pseudo views.*teach.steps"):
        pseudo_views().prepare(0)


def test_a_view_that_shows_nothing_among_others_is_none(monkeypatch):
    views = pseudo_views()
    ball, past = tiny.passes_ball, views.path.poses[2, :, 3]
    monkeypatch.setattr(tiny, "passes_ball", lambda rays: ball(rays) * (rays.origins[0] == past).all(-1))
    views.prepare(0)
    assert views.windows[0].tolist() == [0, 0, 16, 16]


# -- in the background -------------------------------------------------------------------------------


def test_views_are_rendered_while_nobody_waits():
    begun = []
    with closing(RenderAhead(lambda i: begun.append(i) or i, 100, 1)) as ahead:
        assert list(ahead.take(range(2))) == [0, 1]
        deadline = time.monotonic() + 20
        while len(begun) < 6 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert begun == [0, 1, 2, 3, 4, 5]  # a few ahead, not all


def test_who_waits_for_a_view_helps_with_the_next():
    by, release = {}, threading.Event()

    def render(index: int) -> int:
        by[index] = threading.current_thread() is threading.main_thread()
        if not by[index]:
            assert release.wait(20)
        elif index == 3:
            release.set()
        return index

    with closing(RenderAhead(render, 4, 1)) as ahead:
        assert list(ahead.take(range(4))) == [0, 1, 2, 3]
    # either the worker began the first view, or all had been claimed here before it could
    assert by[3] is True


def test_an_error_comes_at_the_turn_of_its_view(workers):
    def render(index: int) -> int:
        if index == 3:
            raise ValueError("view 3")
        return index

    with closing(RenderAhead(render, 9, workers)) as ahead:
        views = ahead.take(range(9))
        assert [next(views) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="view 3"):
            next(views)


def test_closing_waits_for_what_is_begun_and_drops_the_rest():
    done, started, release = [], threading.Event(), threading.Event()

    def render(index: int) -> int:
        started.set()
        assert release.wait(20)
        done.append(index)
        return index

    ahead = RenderAhead(render, 9, 1)
    ahead._schedule(0, 9)
    assert started.wait(20)
    threading.Timer(0.05, release.set).start()
    ahead.close()
    assert done == [0]


# -- room --------------------------------------------------------------------------------------------


def test_as_many_views_as_memory_holds():
    assert allocate_views(9, 16, 16, memory=4.5 * VIEW_GIB).shape == (4, 16, 16, 3)
    assert allocate_views(3, 16, 16, memory=4.5 * VIEW_GIB).shape == (3, 16, 16, 3)


def test_memory_for_less_than_one_view_is_an_error_that_names_the_setting():
    with pytest.raises(NfcoreError, match=r"no pseudo view of 16x16 fits into distill\.view_memory"):
        allocate_views(9, 16, 16, memory=0.9 * VIEW_GIB)


def test_more_than_the_free_memory_is_an_error_that_says_how_much_there_is(monkeypatch):
    monkeypatch.setattr(storage, "free_memory", lambda device: 1 << 20)
    with pytest.raises(NfcoreError, match=r"only 0\.00 GiB of memory are free: lower distill\.view_memory"):
        allocate_views(10_000, 16, 16, memory=1.0)
    assert len(allocate_views(10, 16, 16, memory=1.0)) == 10


def test_memory_that_the_system_refuses_is_an_error_of_one_line(monkeypatch):
    monkeypatch.setattr(storage, "free_memory", lambda device: None)  # as on a system that does not tell
    with pytest.raises(NfcoreError, match=r"lower distill\.view_memory") as error:
        allocate_views(10**12, 800, 800, memory=1e9)
    assert "\n" not in str(error.value)


def test_views_beyond_the_memory_go_to_a_file_without_a_name(tmp_path):
    images = allocate_views(9, 16, 16, memory=4.5 * VIEW_GIB, disk=1.0, folder=tmp_path / "state")
    assert images.shape == (9, 16, 16, 3)
    assert list((tmp_path / "state").iterdir()) == []
    images[:] = torch.arange(9)[:, None, None, None]
    assert images.sum((1, 2, 3)).tolist() == [i * 16 * 16 * 3 for i in range(9)]


def test_the_disk_is_left_alone_where_memory_does_or_no_folder_is_given(tmp_path):
    assert len(allocate_views(4, 16, 16, memory=4.5 * VIEW_GIB, disk=1.0, folder=tmp_path / "state")) == 4
    assert not (tmp_path / "state").exists()
    assert len(allocate_views(9, 16, 16, memory=4.5 * VIEW_GIB, disk=1.0)) == 4


def test_a_full_disk_is_an_error_before_the_first_view(tmp_path, monkeypatch):
    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(NfcoreError, match=r"state: .*0\.00 GiB .*No space left.*distill\.view_disk"):
        allocate_views(9, 16, 16, memory=4.5 * VIEW_GIB, disk=1.0, folder=tmp_path / "state")


def test_without_fallocate_the_space_is_taken_by_writing(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    images = allocate_views(9, 16, 16, memory=VIEW_GIB, disk=1.0, folder=tmp_path)
    assert images.shape == (9, 16, 16, 3)
    assert not images.any()
