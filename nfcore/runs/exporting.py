"""Exports added to an existing run, and removed from it again if they fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nfcore.config.schema import ExportChoice
from nfcore.errors import NfcoreError
from nfcore.pipeline.export import REJECTED
from nfcore.runs.folder import Run


@contextmanager
def added_exports(run: Run, chosen: Mapping[str, ExportChoice], *, again: bool = False) -> Iterator[None]:
    """Add ``chosen`` to the run's configuration; if the block fails, only those that have files stay there.

    An export that can't be made would fail again each time; files under ``rejected/`` count as files.

    Args:
        run: the run.
        chosen: the exports by label.
        again: whether finished ones are made again.

    """
    before = run.config.export
    run.set_config(run.config.model_copy(update={"export": {**before, **chosen}}))
    if again:
        for label in chosen:
            run.forget_one(f"export.{label}")
    try:
        yield
    except NfcoreError:
        finished, kept = run.finished, {}
        for label, choice in run.config.export.items():
            made = f"export.{label}" in finished or (run.exports_folder / REJECTED / label).is_dir()
            if made or label not in chosen:
                kept[label] = choice
            elif label in before:
                kept[label] = before[label]
        run.set_config(run.config.model_copy(update={"export": kept}))
        raise
