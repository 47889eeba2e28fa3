"""Plugins follow a run: they hear of everything once, in order, and can neither harm nor change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import tiny_plugin
import torch

import nfcore
from nfcore.config.resolve import configure
from nfcore.errors import NfcoreError
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Artifacts, Run, Scheduler, execute
from nfcore.runs.hooks import RunHooks
from nfcore.ui.console import Console

pytestmark = pytest.mark.slow


class Recorder:
    """Writes down every call of a run hook."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []

    def named(self, hook: str) -> list[dict]:
        return [arguments for name, arguments in self.calls if name == hook]

    @nfcore.hookimpl
    def nfcore_stage_started(self, run, stage):
        self.calls.append(("started", {"run": run, "stage": stage}))

    @nfcore.hookimpl
    def nfcore_step(self, run, stage, step, total, scalars):
        self.calls.append(("step", {"run": run, "stage": stage, "step": step, "total": total, "scalars": scalars}))

    @nfcore.hookimpl
    def nfcore_images(self, run, stage, step, name, image):
        self.calls.append(("images", {"run": run, "stage": stage, "step": step, "name": name, "image": image}))

    @nfcore.hookimpl
    def nfcore_stage_finished(self, run, stage, figures):
        self.calls.append(("finished", {"run": run, "stage": stage, "figures": figures}))

    @nfcore.hookimpl
    def nfcore_run_failed(self, run, stage, error):
        self.calls.append(("failed", {"run": run, "stage": stage, "error": error}))


def manager_with(*plugins: object) -> PluginManager:
    """A manager with the tiny components and ``plugins``, called a-dist, b-dist and so on."""
    named = zip(("a-dist", "b-dist", "c-dist"), plugins, strict=False)
    return PluginManager([tiny.source(tiny_plugin), *(tiny.source(plugin, name) for name, plugin in named)])


def hooked(**functions: Callable[..., object]) -> object:
    """A plugin with the given hooks."""
    return type("Plugin", (), {name: staticmethod(nfcore.hookimpl(f)) for name, f in functions.items()})()


class Notes(Console):
    """A console that remembers what was noted."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def console() -> Notes:
    return Notes()


def make(folder: Path, manager: PluginManager, *changes: str) -> Run:
    return Run.create(folder / "run", configure("tiny", manager, changes=changes), resume=True)


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Run, Recorder, list[str]]:
    """A whole run with a preview at every report, what a plugin heard of it, and what was noted."""
    recorder, console = Recorder(), Notes()
    manager = manager_with(recorder)
    run = make(tmp_path_factory.mktemp("followed"), manager)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nfcore.runs.reporter._PREVIEW_SECONDS", -1.0)
        execute(run.folder, components=manager, console=console)
    return run, recorder, console.notes


def test_a_plugin_hears_of_every_stage_in_order(followed):
    run, recorder, notes = followed
    stages = ["teach", "distill", "finetune", "evaluate", "render", "export.exact", "export.elsewhere"]
    brackets = [(name, call["stage"]) for name, call in recorder.calls if name in ("started", "finished")]
    assert brackets == [(name, stage) for stage in stages for name in ("started", "finished")]
    current = None
    for name, call in recorder.calls:
        current = call["stage"] if name == "started" else current
        assert call["stage"] == current
        assert call["run"] == run.folder
    assert recorder.named("failed") == []
    assert not [note for note in notes if "switched off" in note]


def test_steps_rise_within_each_stage_even_where_it_has_parts(followed):
    by_stage: dict[str, list[dict]] = {}
    for call in followed[1].named("step"):
        by_stage.setdefault(call["stage"], []).append(call)
    assert [(call["step"], call["total"]) for call in by_stage["distill"]] == [(10, 30), (20, 30), (30, 30)]
    assert all(set(call["scalars"]) == {"psnr", "loss", "lr"} for call in by_stage["distill"])
    # Two test views, seen by the teacher, the distilled and the fine-tuned student.
    assert [(call["step"], call["total"]) for call in by_stage["evaluate"]] == [
        (1, 2), (2, 2), (3, 4), (4, 4), (5, 6), (6, 6),
    ]  # fmt: skip
    for calls in by_stage.values():
        steps = [call["step"] for call in calls]
        assert steps == sorted(set(steps))
        assert all(call["step"] <= call["total"] for call in calls)


def test_a_preview_is_an_image_in_range_without_gradients(followed):
    images = [call for call in followed[1].named("images") if call["stage"] == "distill"]
    assert [(call["name"], call["step"]) for call in images] == [("student", 10), ("student", 20), ("student", 30)]
    image = images[-1]["image"]
    assert image.shape == (16, 32, 3)  # as the student sees it beside what it should be
    assert image.dtype == torch.float32
    assert not image.requires_grad
    assert 0 <= image.min() < image.max() <= 1


def test_the_figures_of_all_stages_are_those_of_the_summary(followed):
    run, recorder, _ = followed
    heard = {name: value for call in recorder.named("finished") for name, value in call["figures"].items()}
    summary = run.write_summary()
    assert summary.pop("seconds.total") >= 0
    assert heard == summary


def test_a_finished_stage_is_not_told_of_again(tmp_path, console):
    recorder = Recorder()
    manager = manager_with(recorder)
    run = make(tmp_path, manager)
    Scheduler(Artifacts(run, manager), console).do("teach")
    recorder.calls.clear()
    Scheduler(Artifacts(run, manager), console).do("teach")
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NfcoreError("the loss is nan at step 3"), "the loss is nan at step 3"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_told_with_its_stage_and_goes_on_its_way(tmp_path, console, monkeypatch, error, told):
    recorder = Recorder()
    manager = manager_with(recorder)
    run = make(tmp_path, manager)
    stages = Scheduler(Artifacts(run, manager), console)
    stages.do("teach")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr("nfcore.pipeline.distill", fail)
    with pytest.raises(type(error)):
        execute(run.folder, components=manager, console=console)
    assert recorder.named("failed") == [{"run": run.folder, "stage": "distill", "error": told}]
    assert [call["stage"] for call in recorder.named("finished")] == ["teach"]


# -- the fence ---------------------------------------------------------------------------------------

ERRORS = {
    "an error": lambda: (_ for _ in ()).throw(ValueError("no disk [/logs] left\nand more")),
    "an exit": lambda: (_ for _ in ()).throw(SystemExit("told to leave")),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_a_logger_that_raises_is_switched_off_with_one_line_and_the_run_goes_on(tmp_path, console, kind):
    tried: list[str] = []

    def step():
        tried.append("step")
        ERRORS[kind]()

    bad = hooked(nfcore_step=step, nfcore_stage_finished=lambda: tried.append("finished"))
    good = Recorder()
    manager = manager_with(bad, good)
    run = make(tmp_path, manager)
    stages = Scheduler(Artifacts(run, manager), console)
    for stage in ("teach", "distill"):
        stages.do(stage)
    assert run.distilled_file.exists()
    assert tried == ["step"]
    (note,) = console.notes
    assert note.startswith("a-dist 1.0 is switched off: nfcore_step: ")
    assert "\n" not in note
    assert [call["stage"] for call in good.named("finished")] == ["teach", "distill"]


def test_the_warning_is_printed_whatever_the_error_says(tmp_path, capfd):
    manager = manager_with(hooked(nfcore_step=ERRORS["an error"]))
    Scheduler(Artifacts(make(tmp_path, manager), manager), Console()).do("teach")
    assert "a-dist 1.0 is switched off: nfcore_step: ValueError: no disk [/logs] left\n" in capfd.readouterr().err


def test_what_else_the_plugin_offers_still_works_after_its_logger_was_switched_off(tmp_path, console):
    class Both(Recorder):
        @nfcore.hookimpl
        def nfcore_components(self):
            yield nfcore.Component("teacher", "sky", "tiny:Sky", level=2)

        @nfcore.hookimpl
        def nfcore_stage_started(self, run, stage):
            raise RuntimeError("no")

    manager = PluginManager([tiny.source(tiny_plugin), tiny.source(Both(), "both-dist")])
    hooks = RunHooks(tmp_path, manager, console.note)
    hooks.call("nfcore_stage_started", "teach")
    assert manager.load("teacher", "both-dist/sky") is tiny.Sky


def test_an_interrupt_in_a_hook_is_not_swallowed(tmp_path, console):
    def interrupted():
        raise KeyboardInterrupt

    hooks = RunHooks(tmp_path, manager_with(hooked(nfcore_stage_started=interrupted)), console.note)
    with pytest.raises(KeyboardInterrupt):
        hooks.call("nfcore_stage_started", "teach")


def test_an_implementation_may_leave_arguments_out(tmp_path, console):
    heard: list[object] = []
    hooks = RunHooks(tmp_path, manager_with(hooked(nfcore_step=lambda step: heard.append(step))), console.note)
    hooks.call("nfcore_step", "teach", step=3, total=4, scalars={})
    assert heard == [3]
    assert console.notes == []


def test_what_a_hook_does_to_its_arguments_reaches_nobody_else(tmp_path, console):
    def spoil(scalars):
        scalars.clear()

    recorder = Recorder()
    hooks = RunHooks(tmp_path, manager_with(hooked(nfcore_step=spoil), recorder, hooked(nfcore_step=spoil)), None)
    scalars = {"psnr": 20.0}
    hooks.call("nfcore_step", "teach", step=1, total=1, scalars=scalars)
    assert scalars == {"psnr": 20.0} == recorder.named("step")[0]["scalars"]
    image = torch.ones(2, 2, 3)
    dark = RunHooks(tmp_path, manager_with(hooked(nfcore_images=lambda image: image.zero_())), None)
    dark.call("nfcore_images", "teach", step=1, name="x", image=image)
    assert image.min() == 1


def test_a_logger_that_draws_random_numbers_does_not_change_the_student(tmp_path, console):
    students = []
    for name, plugins in {
        "plain": [],
        "logged": [hooked(nfcore_step=lambda: torch.rand(5) + torch.seed())],
    }.items():
        manager = manager_with(*plugins)
        # The jitter of the encoding draws from torch's default generator, as the hook does.
        run = make(tmp_path / name, manager, "student.encoding.jitter=0.1", "distill.steps=30")
        for stage in ("teach", "distill"):
            Scheduler(Artifacts(run, manager), console).do(stage)
        students.append(run.distilled_file.read_bytes())
    assert students[0] == students[1]
    assert console.notes == []


def test_where_nobody_follows_nothing_is_done(tmp_path, manager):
    class Precious:
        def __deepcopy__(self, memo):
            pytest.fail("copied for nobody")

    RunHooks(tmp_path, manager, None).call("nfcore_images", "distill", step=1, name="student", image=Precious())
