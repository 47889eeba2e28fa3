"""Only regular files are opened, only numbers are figures, and no file asks for more than it has."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import tiny
import torch

from nfcore import LightField, NfcoreError, UserError
from nfcore.cli.info import option_rows
from nfcore.io import inside, read_file, read_toml
from nfcore.io.modules import module_with_weights
from nfcore.io.tensors import load_state, read_safetensors
from nfcore.runs import Run, read_reports
from nfcore.runs.compared import read_compared
from nfcore.runs.results import Figures


@pytest.fixture(params=["pipe", "device", "socket", "link to itself", "folder"])
def special(request, tmp_path) -> Path:
    """Something at a file's place that is no file."""
    path = tmp_path / "it"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(str(path))
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to(path)
    return path


@pytest.mark.parametrize("read", [read_file, read_toml, read_safetensors, load_state, LightField.load])
def test_what_is_no_file_is_refused_before_it_is_opened(special, read):
    with pytest.raises(UserError, match=str(special)):
        read(special)


def test_a_file_is_read_up_to_its_bound(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    assert len(read_file(tmp_path / "a", most=10)) == 10
    with pytest.raises(UserError, match="larger"):
        read_file(tmp_path / "a", most=9)


def test_a_link_out_of_a_folder_is_not_inside(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_text("secret")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "own").write_text("")
    assert not inside(tmp_path / "in" / "link", tmp_path / "in")
    assert inside(tmp_path / "in" / "own", tmp_path / "in")


WRONG = {
    "a list": [1],
    "a number": 1,
    "null": None,
    "a text for a number": {"student.test.psnr": "x"},
    "no number": {"student.test.psnr": None},
    "a number for a text": {"scene": 3},
    "NaN": {"student.test.psnr": float("nan")},
    "a huge number": {"student.parameters": 10**400},
    "a table": {"seconds.teach": {}},
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_damaged_figures_are_refused_wherever_they_are_read(run, value):
    (run.folder / "state").mkdir(exist_ok=True)
    (run.folder / "summary.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=r"summary\.json: damaged"):
        read_compared(run.folder)
    run.results_file.write_text(json.dumps({"teach": value}))
    with pytest.raises(UserError, match=r"results\.json: damaged"):
        Run(run.folder).summary()


def test_figures_that_are_not_finite_are_not_kept(run):
    run.finish("evaluate", {"student.test.psnr": float("inf"), "student.test.ssim": 0.5})
    assert run.finished == {"evaluate": {"student.test.ssim": 0.5}}
    assert Figures.model_validate(run.summary())


def test_damaged_lines_of_the_metrics_are_left_out(tmp_path):
    rows = [
        '{"stage": "teach", "step": 10, "psnr": 20.5}',
        '{"stage": ["a"], "step": 1}',
        '{"stage": "a", "step": 1.5}',
        '{"stage": "teach", "step": 20, "psnr": NaN, "loss": 1}',
        f'{{"stage": "a", "step": 1{"0" * 5000}}}',
        f'{{"stage": "teach", "step": 1{"0" * 99}}}',
        "[" * 9999,
        "\x00",
        '{"stage": "teach", "step": 30',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(rows))
    first, second = read_reports(tmp_path / "metrics.jsonl")
    assert first == ("teach", 10, {"psnr": 20.5})
    assert second == ("teach", 20, {"loss": 1.0})


class _Wide(torch.nn.Module):
    def __init__(self, width: int, depth: int = 1) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(depth))


@pytest.mark.parametrize(
    "build",
    [
        lambda: _Wide(100_000),
        lambda: _Wide(4, 10**12),
        lambda: torch.nn.ParameterList(torch.zeros(1 << 40)),
    ],
    ids=["wide", "deep", "large"],
)
def test_weights_ask_for_no_more_than_they_justify(tmp_path, build):
    with pytest.raises(UserError, match="can't be built"):
        module_with_weights(tmp_path / "w", build, {"a": torch.zeros(3)}, "it")


def test_weights_that_are_not_finite_or_of_another_dtype_are_refused(tmp_path):
    weights = _Wide(2).state_dict()
    for change, said in ((torch.Tensor.double, "float64"), (lambda x: x / 0, "not finite")):
        damaged = {name: change(weight) for name, weight in weights.items()}
        with pytest.raises(NfcoreError, match=said):
            module_with_weights(tmp_path / "w", lambda: _Wide(2), damaged, "it")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("cameras.poses", torch.Tensor.double, "float64"),
        ("cameras.poses", lambda x: x * float("nan"), "not finite"),
        ("cameras.poses", lambda x: x * 3, "no rotation"),
        ("cameras.intrinsics", torch.zeros_like, "focal length"),
        ("cameras.poses", lambda x: x[:0], "shape|cameras"),
    ],
)
def test_a_students_cameras_are_checked(tmp_path, manager, name, change, said):
    from nfcore.io.tensors import write_safetensors

    tiny.student().save(tmp_path / "s", manager)
    tensors, metadata = read_safetensors(tmp_path / "s")
    write_safetensors(tmp_path / "s", tensors | {name: change(tensors[name])}, metadata)
    with pytest.raises(UserError, match=said):
        LightField.load(tmp_path / "s", manager)


def test_a_student_asks_for_no_larger_images_than_it_may(tmp_path, manager):
    from nfcore.io.tensors import write_safetensors

    tiny.student().save(tmp_path / "s", manager)
    tensors, metadata = read_safetensors(tmp_path / "s")
    card = json.loads(metadata["nfcore"]) | {"height": 16384, "width": 16384}
    write_safetensors(tmp_path / "s", tensors, {"nfcore": json.dumps(card)})
    with pytest.raises(UserError, match="16384x16384"):
        LightField.load(tmp_path / "s", manager)


def test_an_image_that_does_not_fit_into_memory_is_refused_before_it_is_rendered(monkeypatch):
    student = tiny.student()
    monkeypatch.setattr("nfcore.runtime.memory.free_memory", lambda _: 1000)
    with pytest.raises(UserError, match="16x16"):
        student.render(student.cameras[:1])


def test_every_whole_number_that_a_model_is_built_with_has_a_bound():
    from nfcore import plugins

    unbounded = []
    for plugin, component in plugins().components():
        if component.kind in ("teacher", "encoding", "backbone", "upsampler") and "nfcore" in plugin.distribution:
            options = plugins().load(component.kind, f"{plugin.distribution}/{component.name}").Options
            rows = [row for row in option_rows(options) if "int" in row["type"] and "<" not in row["type"]]
            # Options of another teacher have that one's bounds.
            rows = [row for row in rows if not row["type"].startswith("dict")]
            unbounded += [f"{component.name}.{row['name']}" for row in rows]
    assert not unbounded
