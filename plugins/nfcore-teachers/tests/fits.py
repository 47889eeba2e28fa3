"""How good a fitted teacher is, and a reporter that kills its fit."""

import torch

from nfcore import Reporter
from nfcore.io import load_state, save_state


def psnr(a, b):
    return -10 * torch.log10(((a - b) ** 2).mean()).item()


def psnr_on_test_views(teacher, source):
    views = source.views("test")
    seen = teacher.render(views.cameras.rays().flat()).rgb
    return psnr(seen, views.images.view(-1, 3))


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class KilledError(Exception):
    pass


class Checkpoints(Reporter):
    """Keeps the state after step ``at`` in a file, then interrupts; restores from it if it is there."""

    def __init__(self, path, at):
        self.path, self.at = path, at

    def restore(self):
        return load_state(self.path) if self.path.exists() else None

    def checkpoint(self, step, state):
        if step == self.at and not self.path.exists():
            save_state(self.path, state())
            raise KilledError
