"""Packages that take rays: the student's own grid, or a range of sizes."""

import pytest
import torch

import nfcore
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import OF_RAYS

pytestmark = pytest.mark.slow


def psnr(images, expected) -> float:
    return float(-10 * (images - expected).square().mean().log10())


def rays_of(cameras: nfcore.Cameras, scale: int) -> dict[str, torch.Tensor]:
    rays = nfcore.ray_grid(cameras.poses, cameras.intrinsics, cameras.height, cameras.width, scale)
    return dict(zip(("origins", "directions"), rays, strict=True))


def enlarged(cameras: nfcore.Cameras, factor: int) -> nfcore.Cameras:
    size = (cameras.height * factor, cameras.width * factor)
    return nfcore.Cameras(cameras.poses, cameras.intrinsics * factor, *size)


@pytest.fixture(scope="module")
def of_rays(tmp_path_factory):
    """Export a student in the form of rays, once for each set of options: its folder, what the exporter says."""
    made = {}

    def export(student, **options):
        key = (student, tuple(options.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("rays")
            made[key] = folder, CoreML(CoreML.Options(form="rays", **options)).export(student, folder)
        return made[key]

    return export


def test_rays_give_the_image_of_their_camera(student, of_rays):
    folder, said = of_rays(student)
    rows, columns = student.grid
    assert [port.shape for port in said.files[0].inputs] == [(1, 3, rows, columns)] * 2
    camera = student.cameras[:1]
    image = Program(Package.read(folder / OF_RAYS))(**rays_of(camera, student.scale))["image"]
    assert psnr(image, student.render(camera)) > 70


def test_the_runner_makes_the_rays_from_the_files_alone(student, of_rays):
    folder, _ = of_rays(student)
    runner = CoreML(CoreML.Options(form="rays")).load(folder)
    images = runner.render(student.cameras.poses, student.cameras.intrinsics)
    assert psnr(images, student.render(student.cameras)) > 70


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("plain_student", "fp16"),
        ("box_student", "fp16"),
        ("plain_student", "palette-8"),
        ("box_student", "int8"),
    ],
)
def test_a_range_of_sizes_gives_images_of_any_of_them(name, precision, of_rays, request):
    student = request.getfixturevalue(name)
    folder, said = of_rays(student, ray_counts=(4, 30), precision=precision)
    assert said.files[0].outputs[0].shape == (1, 3, "height", "width")
    program = Program(Package.read(folder / OF_RAYS))
    for factor in (1, 2):
        cameras = enlarged(student.cameras[:1], factor)
        image = program(**rays_of(cameras, student.scale))["image"]
        assert image.shape == (1, 3, cameras.height, cameras.width)
        assert psnr(image, student.render(cameras)) > (70 if precision == "fp16" else 40)


def test_the_students_own_grid_is_the_default_size(box_student, of_rays):
    folder, _ = of_rays(box_student, ray_counts=(4, 30), precision="fp16")
    given = Package.read(folder / OF_RAYS).model.description.input[0].type.multiArrayType
    assert list(given.shape) == [1, 3, *box_student.grid]
    assert [(r.lowerBound, r.upperBound) for r in given.shapeRange.sizeRanges] == [
        (1, 1),
        (3, 3),
        (4, 30),
        (4, 30),
    ]


def test_a_size_out_of_the_range_is_refused(box_student, of_rays):
    folder, _ = of_rays(box_student, ray_counts=(4, 30), precision="fp16")
    rays = torch.zeros(1, 3, 31, 10)
    with pytest.raises(nfcore.UserError, match=r"takes inputs origins: float32 \[1, 3, \?, \?\], "):
        Program(Package.read(folder / OF_RAYS))(origins=rays, directions=rays)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"ray_counts": (4, 30)}, "for the form rays"),
        ({"ray_counts": (1, 30), "form": "rays"}, "at least 2"),
        ({"ray_counts": (40, 30), "form": "rays"}, "no less than the first"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(options, why):
    with pytest.raises(nfcore.UserError, match=why):
        CoreML.Options(**options)


def test_a_range_without_the_students_own_size_is_refused(box_student, tmp_path):
    with pytest.raises(nfcore.UserError, match=r"\(2, 4\).* 8 x 10 rays"):
        CoreML(CoreML.Options(form="rays", ray_counts=(2, 4))).export(box_student, tmp_path)


def test_the_evaluator_runs_on_as_many_threads_as_it_is_given(box_student, exported, monkeypatch):
    counts = []
    call = Program.__call__
    monkeypatch.setattr(
        Program, "__call__", lambda *args, **named: counts.append(torch.get_num_threads()) or call(*args, **named)
    )
    before = torch.get_num_threads()
    runner = CoreML(CoreML.Options()).load(exported(box_student), threads=1)
    runner.render(box_student.cameras.poses[:1], box_student.cameras.intrinsics[:1])
    assert counts == [1]
    assert torch.get_num_threads() == before
