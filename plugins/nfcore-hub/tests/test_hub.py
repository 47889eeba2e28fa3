"""A student is shared by a name: what is pushed to a hub on this machine is what is pulled from it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import tiny
from local_hub import Hub, served

from nfcore import NfcoreError, UserError
from nfcore.config.resolve import configure
from nfcore.runs import Artifacts, Run, Scheduler
from nfcore.ui.console import Console
from nfcore_hub.hub import repository
from nfcore_hub.pull import Pulled, pull_model
from nfcore_hub.push import push_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Run:
    """A finished run of the tiny recipe, with one export."""
    manager = tiny.manager()
    run = Run.create(tmp_path_factory.mktemp("run") / "ring", configure("tiny", manager), resume=False)
    scheduler = Scheduler(Artifacts(run, manager), Console(quiet=True))
    for stage in ("teach", "distill", "finetune", "evaluate", "export"):
        scheduler.do(stage)
    return run


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with served() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def pushed(hub, finished) -> Hub:
    push_run(finished.folder, "ada/ring")
    return hub


def pulled_to(out: Path) -> Pulled:
    return pull_model("ada/ring", out, components=tiny.manager())


def test_a_pushed_run_is_pulled_with_its_model_exports_card_recipe_and_figures(pushed, finished, tmp_path):
    pulled = pulled_to(tmp_path / "out")
    assert pulled.model.read_bytes() == finished.student_file.read_bytes()
    assert json.loads((tmp_path / "out/summary.json").read_text()) == finished.summary()
    recipe = tomllib.loads((tmp_path / "out/recipe.toml").read_text())
    assert recipe["distill"]["steps"] == finished.config.distill.steps
    card = (tmp_path / "out/README.md").read_text()
    assert card.startswith("---\nlibrary_name: nfcore\n")
    assert "nfcore pull hf:ada/ring" in card
    labels = {folder.name for folder in pulled.exports}
    assert labels == set(finished.config.export)
    for folder in pulled.exports:
        ours = finished.exports_folder / folder.name
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
            p.name: p.read_bytes() for p in ours.iterdir()
        }


def test_a_second_push_replaces_the_exports_of_the_first(pushed, finished):
    pushed.files["ada/ring"]["exports/older/manifest.json"] = b"{}"
    push_run(finished.folder, "ada/ring")
    assert not any("older" in name for name in pushed.files["ada/ring"])


def test_what_is_not_part_of_a_model_is_left_out(pushed, tmp_path):
    pushed.files["ada/ring"] |= {"training.pkl": b"\x80", "setup.py": b"raise SystemExit"}
    pulled = pulled_to(tmp_path / "out")
    assert pulled.left_out == 2
    assert not (tmp_path / "out/training.pkl").exists()


def damaged_student(hub: Hub) -> None:
    hub.files["ada/ring"]["student.safetensors"] = b"\x80\x04"


def no_model(hub: Hub) -> None:
    del hub.files["ada/ring"]["student.safetensors"]


def changed_export(hub: Hub) -> None:
    files = hub.files["ada/ring"]
    name = next(name for name in files if name.startswith("exports/") and name.endswith(".safetensors"))
    files[name] = b"other bytes"


def leaving_export(hub: Hub) -> None:
    files = hub.files["ada/ring"]
    name = next(name for name in files if name.endswith("manifest.json"))
    manifest = json.loads(files[name])
    manifest["contents"][0]["path"] = "../../../escaped"
    files[name] = json.dumps(manifest).encode()
    label = name.removesuffix("manifest.json")
    files[f"{label}../../../escaped"] = b"x"


def too_large(hub: Hub) -> None:
    hub.sizes["student.safetensors"] = 1 << 40


def damaged_figures(hub: Hub) -> None:
    hub.files["ada/ring"]["summary.json"] = b'{"student.test.psnr": "high"}'


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (damaged_student, "student.safetensors"),
        (no_model, "student.safetensors"),
        (changed_export, "manifest.json"),
        (leaving_export, "leave its folder"),
        (too_large, "GiB"),
        (damaged_figures, "summary.json"),
    ],
)
def test_what_is_damaged_or_leaves_its_folder_is_refused_and_nothing_is_kept(pushed, tmp_path, damage, named):
    damage(pushed)
    (tmp_path / "here").mkdir()
    with pytest.raises(UserError, match=named) as caught:
        pulled_to(tmp_path / "here" / "out")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_hub_that_refuses_is_one_line_with_the_repository(hub, finished, tmp_path, status, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # it tries again after a while
    hub.refuses = status
    for work in (
        lambda: push_run(finished.folder, "ada/ring"),
        lambda: pulled_to(tmp_path / "out"),
    ):
        with pytest.raises(NfcoreError, match="hf:ada/ring: ") as caught:
            work()
        assert "\n" not in str(caught.value)


def test_a_hub_that_is_not_there_is_one_line(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    with pytest.raises(NfcoreError, match="hf:ada/ring: the hub can't be reached") as caught:
        pulled_to(tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_run_without_a_finished_model_is_not_pushed(hub, tmp_path):
    run = Run.create(tmp_path / "new", configure("tiny", tiny.manager()), resume=False)
    with pytest.raises(UserError, match="finetune is not finished"):
        push_run(run.folder, "ada/ring")
    assert hub.files == {}


@pytest.mark.parametrize("name", ["ada/lego", "hf:lego", "hf:ada/lego/3", "https://huggingface.co/ada/lego"])
def test_a_name_of_another_form_is_refused_with_the_right_one(name):
    with pytest.raises(UserError, match="hf:OWNER/NAME"):
        repository(name)


def test_an_existing_folder_is_not_replaced(pushed, tmp_path):
    with pytest.raises(UserError, match="exists already"):
        pulled_to(tmp_path)
