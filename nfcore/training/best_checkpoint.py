"""The best checkpoint: the weights with the highest score on views that the student is not trained on."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from nfcore.io.tensors import State
from nfcore.runtime import distributed
from nfcore.student.light_field import LightField


class BestCheckpoint:
    """Keeps the weights with the highest score; the earliest if several are equal.

    Args:
        score_of: returns a student's score; higher is better.
        times: how often a training scores the student, evenly over its budget, the last time at the end. It is
            also scored before the first step, so training can never make a student worse by this score.

    Attributes:
        scores: each score by its step.

    """

    def __init__(self, score_of: Callable[[LightField], float], times: int) -> None:
        self.score_of = score_of
        self.times = times
        self.scores: dict[int, float] = {}
        self._weights: dict[str, Tensor] = {}
        self._asked = 0

    def due(self, progress: float) -> bool:
        """Whether a score is due when ``progress`` of the training, in [0, 1], is done."""
        return progress >= self._asked / self.times

    def score(self, student: LightField, step: int, progress: float) -> None:
        """Score ``student`` after ``step`` steps, and keep its weights if they are the best so far."""
        self._asked = int(progress * self.times) + 1
        score = distributed.agreed(self.score_of(student) if distributed.first() else 0.0)
        if not self.scores or score > max(self.scores.values()):
            self._weights = {name: tensor.clone() for name, tensor in student.state_dict().items()}
        self.scores[step] = score

    @property
    def step(self) -> int:
        """The step with the best score."""
        return max(self.scores, key=lambda step: self.scores[step])

    def load_into(self, student: LightField) -> None:
        """Load the best weights into ``student``."""
        student.load_state_dict(self._weights)

    def state(self) -> State:
        """Return the scores and the best weights, for a checkpoint."""
        return {"scores": self.scores, "weights": self._weights, "asked": self._asked}

    def restore(self, state: State) -> None:
        """Resume from a checkpoint's state."""
        self.scores, self._weights, self._asked = state["scores"], state["weights"], state["asked"]
