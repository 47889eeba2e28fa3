"""Pushing: the files of a run that others need, in one commit."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import tomli_w

import nfcore.runs
from nfcore import UserError
from nfcore.exports import Manifest
from nfcore.io import write_atomic, write_json
from nfcore_hub.card import card
from nfcore_hub.hub import api, refusals
from nfcore_hub.layout import CARD, EXPORTS, PICTURE, RECIPE, SUMMARY

_LICENCE = re.compile(r"[a-z0-9.-]{1,40}")


def push_run(folder: Path, repo: str, *, private: bool = False, licence: str | None = None) -> str:
    """Push a run's model, exports, recipe, figures and card to ``repo``, and return the address of its page.

    Raises:
        UserError: the run has no finished model, or the hub refuses.
        NfcoreError: the hub can't be reached.

    """
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise UserError(f"--licence {licence!r}: use the hub's short name, such as cc-by-4.0 or mit")
    artifacts = nfcore.runs.open(folder)
    with tempfile.TemporaryDirectory() as staged:
        gather(artifacts, Path(staged), repo, licence)
        with refusals(repo):
            hub = api()
            hub.create_repo(repo, private=private or None, exist_ok=True)
            hub.upload_folder(
                repo_id=repo,
                folder_path=staged,
                commit_message=f"nfcore push {folder.name}",
                delete_patterns=f"{EXPORTS}/*",  # of an earlier push
            )
            return f"{hub.endpoint}/{repo}"


def gather(artifacts: nfcore.runs.Artifacts, target: Path, repo: str, licence: str | None = None) -> None:
    """Copy what is pushed into the folder ``target``."""
    run = artifacts.run
    model = artifacts.exportable_file(artifacts.renderer)
    shutil.copyfile(model, target / model.name)
    manifests = artifacts.exports
    for label, manifest in manifests.items():
        _copy_export(run.exports_folder / label, manifest, target / EXPORTS / label)
    picture = run.previews_folder / "comparison.png"
    if picture.is_file():
        shutil.copyfile(picture, target / PICTURE)
    summary = run.summary()
    write_json(target / SUMMARY, summary)
    write_atomic(target / RECIPE, _recipe(artifacts))
    shown = PICTURE if picture.is_file() else None
    write_atomic(target / CARD, card(repo, artifacts.renderer, summary, manifests, shown, licence))


def _copy_export(folder: Path, manifest: Manifest, target: Path) -> None:
    """Copy the files that the manifest lists, checked, and those of the core."""
    manifest.check_contents(folder)
    for name in [*(content.path for content in manifest.contents), "manifest.json", "README.md", "picture.png"]:
        if (folder / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)


def _recipe(artifacts: nfcore.runs.Artifacts) -> str:
    """Return the run's pipeline without the place of its photos on this machine."""
    config = artifacts.config.model_dump(mode="json", exclude_none=True)
    options = config["scene"].get("options", config["scene"])
    if "path" in options:
        options["path"] = Path(options["path"]).name
    return tomli_w.dumps(config)
