"""A run that is still being trained: its progress, a free camera through its newest checkpoint, its paths."""

from __future__ import annotations

import json
import threading

import pytest
import torch
from command_line import command  # noqa: F401 - a fixture
from PIL import Image

from nfcore import LightField
from nfcore.runs import NewestModel
from nfcore.runs import open as open_run
from nfcore.runs.checkpoints import Checkpoints
from nfcore_web.live import Live
from nfcore_web.site import Site

pytestmark = pytest.mark.slow


def test_a_run_in_progress_is_followed_until_its_viewer_is_there(run, tmp_path, served, opened, command):  # noqa: F811
    folder = tmp_path / "live"
    (folder / "state").mkdir(parents=True)
    (folder / "config.toml").write_bytes((run.folder / "config.toml").read_bytes())
    (folder / "metrics.jsonl").write_text('{"stage": "distill", "step": 10, "psnr": 12.5}\n{"stage": "dist')
    (folder / "previews").mkdir()
    Image.new("RGB", (48, 48), "red").save(folder / "previews" / "student.png")
    site = Site(folder)
    threading.Thread(target=site.work, daemon=True).start()
    page = opened(served(site))
    page.locator("#previews img").wait_for()
    assert page.locator("#tab-progress").get_attribute("aria-selected") == "true"
    assert page.locator("#figures").inner_text().split("\n")[:6] == [
        "Stage", "distill", "Step", "10 of 30", "PSNR", "12.50 dB",
    ]  # fmt: skip
    before = page.locator("#previews img").get_attribute("src")
    Image.new("RGB", (48, 48), "blue").save(folder / "previews" / "student.png")
    page.locator(f'#previews img:not([src="{before}"])').wait_for()
    (folder / "teacher.safetensors").write_bytes((run.folder / "teacher.safetensors").read_bytes())
    results = json.loads((run.folder / "state" / "results.json").read_text())
    (folder / "state" / "results.json").write_text(json.dumps({"teach": results["teach"]}))
    page.locator('#viewer iframe[src="/live.html"]').wait_for(state="attached", timeout=60_000)
    page.click("#tab-viewer")
    live = page.frame_locator("#viewer iframe")
    live.locator("#frame.shown").wait_for(timeout=60_000)
    live.locator("#views").click()
    (tmp_path / "path.json").write_bytes(downloaded(page, live.locator("#path")))
    for name in ("student.safetensors", "state/results.json"):
        (folder / name).write_bytes((run.folder / name).read_bytes())
    page.locator('#viewer iframe[src="/viewer.html"]').wait_for(state="attached", timeout=180_000)
    options = ["--path", tmp_path / "path.json", "--frames", "2", "--format", "png", "--out", tmp_path / "o"]
    done = command("render", run.folder, "--quiet", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "o").glob("*.png"))) == 2, "the page's path file is one that nfcore render takes"
    assert site.find("/viewer.html") is not None


def downloaded(page, button) -> bytes:
    """What is saved when a button is clicked."""
    with page.expect_download() as download:
        button.click()
    return download.value.path().read_bytes()


def test_the_newest_checkpoint_is_what_a_run_in_training_shows(run, tmp_path):
    folder = tmp_path / "live"
    (folder / "state").mkdir(parents=True)
    for name in ("config.toml", "teacher.safetensors"):
        (folder / name).write_bytes((run.folder / name).read_bytes())
    results = json.loads((run.folder / "state" / "results.json").read_text())
    (folder / "state" / "results.json").write_text(json.dumps({"teach": results["teach"]}))
    newest = NewestModel(open_run(folder, device="cpu"))
    assert (newest.load().kind, newest.name) == ("teacher", "teacher")
    student = LightField.load(run.student_file)
    saving = Checkpoints(newest.artifacts.run.checkpoint_file("distill"))
    saving.save(lambda: {"step": 40, "state": {"student": student.state_dict()}})
    model = newest.load()
    assert (model.kind, newest.name) == ("student", "student after 40 steps")
    assert torch.equal(model.render(model.cameras[:1]), student.render(student.cameras[:1]))
    assert newest.load() is model, "read once"


def test_only_a_pose_is_an_address_of_a_live_image(run):
    live = Live(open_run(run.folder, device="cpu"), "title")
    for address in ("/live/0", "/live/9/" + "/".join("1" * 12), "/live/0/" + "/".join(["nan"] * 12), "/live/x"):
        assert live.image(address) is None, address
