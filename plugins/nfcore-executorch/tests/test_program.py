"""What ExecuTorch computes from the file, against torch; and what the file is."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch

import nfcore
from nfcore import NfcoreError, RayEncoding, Scene, UserError

pytestmark = pytest.mark.slow


def test_each_pose_gives_torchs_image(student, exporter, exported):
    folder, _ = exported(student)
    images = exporter.load(folder).render(student.cameras.poses, student.cameras.intrinsics)
    assert (images - student.render(student.cameras)).abs().max() <= 1e-4


def test_the_image_follows_the_intrinsics(papers, exporter, exported):
    runner = exporter.load(exported(papers)[0])
    narrow = papers.cameras.intrinsics * torch.tensor([1.5, 1.5, 1, 1])
    assert (runner.render(papers.cameras.poses, narrow) - papers.render(papers.cameras)).abs().max() > 0.05


def test_xnnpack_takes_the_whole_network_and_the_report_names_the_rest(papers, guided, exported):
    for student, left in ((papers, False), (guided, True)):
        report = exported(student)[1].report
        assert report["parts run by XNNPACK"] >= 1
        outside = report["operators outside of XNNPACK"]
        assert not [name for name in outside if "conv" in name or "gelu" in name or "sigmoid" in name]
        assert any("index_select" in name for name in outside) == left, "tables are gathered from"


def test_runners_with_different_threads_can_take_turns(papers, exporter, exported):
    folder, _ = exported(papers)
    camera = papers.cameras[0]
    runners = [exporter.load(folder, threads) for threads in (1, 2, None)]
    expected = papers.render(camera)
    for _ in range(2):
        for runner in runners:
            assert (runner.render(camera.poses, camera.intrinsics) - expected).abs().max() <= 1e-4


def test_an_image_is_not_overwritten_by_the_next(papers, exporter, exported):
    runner = exporter.load(exported(papers)[0])
    first, other = papers.cameras[0], papers.cameras[1]
    image = runner.render(first.poses, first.intrinsics)
    kept = image.clone()
    runner.render(other.poses, other.intrinsics)
    assert torch.equal(image, kept)


def test_the_same_student_gives_the_same_bytes(papers, exporter, exported, tmp_path):
    exporter.export(papers, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["light_field.pte"]
    ours, theirs = ((folder / "light_field.pte").read_bytes() for folder in (tmp_path, exported(papers)[0]))
    assert ours == theirs


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: b"ply\n" + d])
def test_a_damaged_file_is_one_line(papers, exporter, exported, tmp_path, damage, capfd):
    path = tmp_path / "light_field.pte"
    path.write_bytes(damage((exported(papers)[0] / "light_field.pte").read_bytes()))
    with pytest.raises(UserError, match=r"damaged, ExecuTorch can't load it: [A-Z]") as error:
        exporter.load(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_another_program_is_not_a_light_field(exporter, tmp_path):
    from nfcore_executorch.toolchain import quiet, to_edge_transform_and_lower

    with quiet():
        program = torch.export.export(torch.nn.ReLU(), (torch.zeros(1, 3, 4),))
        (tmp_path / "light_field.pte").write_bytes(to_edge_transform_and_lower(program).to_executorch().buffer)
    with pytest.raises(UserError, match=r"not a light field: .*pose and intrinsics"):
        exporter.load(tmp_path)


class Undecided(RayEncoding):
    """Breaks the contract: what it computes depends on the data."""

    def __init__(self, channels):
        super().__init__(nfcore.Options(), Scene(near=1, far=2, box=((0, 0, 0), (1, 1, 1))))
        self.channels = channels

    def forward(self, origins, directions):
        chosen = origins if origins.sum() > 0 else directions
        return chosen.repeat(1, self.channels // 3, 1, 1)


def test_what_can_not_be_expressed_is_one_line_and_nothing_is_printed(papers, exporter, tmp_path, capfd):
    encoding, before = papers.encoding, (logging.root.manager.disable, list(warnings.filters))
    papers.encoding = Undecided(encoding.channels)
    try:
        with pytest.raises(NfcoreError, match=r"^this student can't be expressed in ExecuTorch: ") as error:
            exporter.export(papers, tmp_path)
    finally:
        papers.encoding = encoding
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert before == (logging.root.manager.disable, list(warnings.filters))
    assert not list(tmp_path.iterdir())
