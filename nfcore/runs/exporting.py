"""Exports that are added to a run after it was created, and taken back where they fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nfcore.config.schema import ExportChoice
from nfcore.errors import NfcoreError
from nfcore.pipeline.export import REJECTED
from nfcore.runs.folder import Run


@contextmanager
def added_exports(run: Run, chosen: Mapping[str, ExportChoice], *, again: bool = False) -> Iterator[None]:
    """Have ``chosen`` in the run's configuration; if the block fails, only those of which there are files stay.

    What an exporter can't do would fail again at each export of the run; files under ``rejected/`` are a result.

    Args:
        run: the run.
        chosen: the exports by label.
        again: whether they are made again though they are finished.

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
