"""The newest model of a run that is still being trained, by another process."""

from __future__ import annotations

from nfcore.config.stages import TRAINING, Stage
from nfcore.errors import NfcoreError
from nfcore.interfaces import SceneModel, Teacher
from nfcore.io.tensors import State
from nfcore.runs.artifacts import Artifacts
from nfcore.runs.checkpoints import Checkpoints
from nfcore.runs.untrained import reference_cameras
from nfcore.student.light_field import LightField, build_student
from nfcore.student.sizes import student_card
from nfcore.views.fitted_teacher import FittedTeacher


class NewestModel:
    """The model that a run trains now, from its last checkpoint, else its teacher if that is fitted.

    Args:
        artifacts: the run's; its scene is opened only while the teacher is fitted.

    """

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts
        #: Which model it is, in words, such as "student after 400 steps"; None before `load` has found one.
        self.name: str | None = None
        self._seen: tuple[str, int] | None = None
        self._model: SceneModel | None = None

    def load(self) -> SceneModel | None:
        """Return the model, read again if there is a newer one; None if there is none yet, or it can't be read.

        A teacher's plugin may keep its weights elsewhere than under ``teacher`` in its checkpoints: then there is
        none before it is fitted.
        """
        run = self.artifacts.run
        for stage in reversed(TRAINING):
            if stage in run.finished:
                break
            file = run.checkpoint_file(stage)
            try:
                seen = stage, file.stat().st_mtime_ns
                if seen == self._seen:
                    return self._model
                saved = Checkpoints(file).load() or {}
                model = self._of_checkpoint(stage, saved.get("state") or {})
            except (FileNotFoundError, NfcoreError, LookupError, RuntimeError, TypeError, ValueError):
                continue  # not saved yet, just replaced, or in another form
            self._seen, self._model = seen, model
            self.name = f"{model.kind} after {saved['step']} steps"
            return model
        if self._seen is None and "teach" in run.finished:
            self._seen, self._model, self.name = ("teach", 0), self.artifacts.fitted_teacher, "teacher"
        return self._model

    def _of_checkpoint(self, stage: Stage, state: State) -> SceneModel:
        """Return the model in a checkpoint's state.

        Raises:
            LookupError, RuntimeError: its weights are not in it, or do not fit.

        """
        artifacts = self.artifacts
        if stage == "teach":
            return self._teacher(state["teacher"])
        fitted = artifacts.fitted_teacher
        card = student_card(
            artifacts.config.student_training().student, fitted.scene, fitted.cameras.height, fitted.cameras.width
        )
        student: LightField = build_student(card, fitted.cameras, artifacts.components)
        student.load_state_dict(state["student"])
        return student.to(artifacts.device).eval()

    def _teacher(self, weights: State) -> FittedTeacher:
        artifacts = self.artifacts
        choice = artifacts.config.teacher
        source = artifacts.source
        teacher: Teacher = artifacts.components.build("teacher", choice.name, choice.options, source.scene)
        teacher.load_state_dict(weights)
        return FittedTeacher(teacher.to(artifacts.device).eval(), reference_cameras(source))
