"""Pulling: only the files that belong to a model, each with a bounded size, checked before the folder appears."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi

from nfcore import UserError
from nfcore.config import PipelineConfig, parse
from nfcore.exports import Manifest
from nfcore.io import atomic_path, read_toml
from nfcore.plugin import PluginManager
from nfcore.runs import ModelFile, read_summary
from nfcore_hub.hub import api, refusals
from nfcore_hub.layout import CARD, EXPORTS, MODELS, PICTURE, RECIPE, SUMMARY, exported

_MOST_BYTES = 4 << 30  # of all files together


@dataclass(frozen=True)
class Pulled:
    """What was pulled.

    Args:
        model: the student's or the teacher's file.
        exports: their folders.
        left_out: how many of the repository's files are not part of a model.

    """

    model: Path
    exports: tuple[Path, ...]
    left_out: int


def pull_model(
    repo: str, out: Path, revision: str | None = None, components: PluginManager | None = None
) -> Pulled:
    """Get the model in ``repo`` into the new folder ``out``.

    The model is loaded, the recipe and the figures are read and the exports compared with their manifests, as
    if they were local files. Nothing else of the repository is downloaded, and nothing in it is executed.

    Args:
        repo: owner and name.
        out: the folder.
        revision: branch, tag or commit; the default branch if None.
        components: where the model's parts are found; the installed plugins by default.

    Raises:
        UserError: ``out`` exists, the hub refuses, or a file is too large, missing or damaged.
        NfcoreError: the hub can't be reached.

    """
    if out.exists():
        raise UserError(f"{out}: exists already: name another folder")
    with atomic_path(out) as temporary, TemporaryDirectory() as cache:
        with refusals(repo):
            remote = Repository(api(), repo, revision, temporary, Path(cache))
        model = next((name for name in MODELS if name in remote.sizes), None)
        if model is None:
            raise UserError(f"hf:{repo}: no model of nfcore (it has no {MODELS[0]})")
        for name in (model, RECIPE, SUMMARY, CARD, PICTURE):
            remote.get(name, required=name == model)
        _check(temporary, model, f"hf:{repo}", components)
        labels = exported(list(remote.sizes))
        for label in labels:
            _pull_export(remote, temporary, f"{EXPORTS}/{label}")
        left_out = len(remote.sizes) - len(remote.got)
    return Pulled(out / model, tuple(out / EXPORTS / label for label in labels), left_out)


class Repository:
    """The files of a repository at one commit.

    Args:
        hub: the hub.
        repo: owner and name.
        revision: branch, tag or commit; the default branch if None.
        target: where files are put.
        cache: where the hub's library keeps its own.

    """

    def __init__(self, hub: HfApi, repo: str, revision: str | None, target: Path, cache: Path) -> None:
        self.hub, self.repo, self.target, self.cache = hub, repo, target, cache
        info = hub.model_info(repo, revision=revision, files_metadata=True)
        self.commit = info.sha
        self.sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        self.got: set[str] = set()
        self.bytes = 0

    def get(self, name: str, *, required: bool = True) -> None:
        """Put a file into the target folder.

        Raises:
            UserError: it is required and missing, would leave the folder, or makes all of them too large.

        """
        if name not in self.sizes:
            if required:
                raise UserError(f"hf:{self.repo}: has no {name}")
            return
        if not _stays(name):
            raise UserError(f"hf:{self.repo}: {name!r} would leave its folder: refused")
        self.bytes += self.sizes[name]
        if self.bytes > _MOST_BYTES:
            raise UserError(f"hf:{self.repo}: more than {_MOST_BYTES >> 30} GiB: refused")
        with refusals(self.repo):
            found = self.hub.hf_hub_download(self.repo, name, revision=self.commit, cache_dir=self.cache)
        target = self.target / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(found).resolve(), target)
        if target.stat().st_size != self.sizes[name]:
            raise UserError(f"hf:{self.repo}: {name} has {target.stat().st_size} bytes, not {self.sizes[name]}")
        self.got.add(name)


def _pull_export(remote: Repository, folder: Path, place: str) -> None:
    """Get the files that an export's manifest lists, and compare them with it."""
    remote.get(f"{place}/manifest.json")
    manifest = Manifest.read(folder / place)
    for content in manifest.contents:
        remote.get(f"{place}/{content.path}")
    for name in (CARD, PICTURE):
        remote.get(f"{place}/{name}", required=False)
    manifest.check_contents(folder / place)


def _check(folder: Path, model: str, name: str, components: PluginManager | None) -> None:
    """Read the model, the recipe and the figures, as if they were local files."""
    try:
        _ = ModelFile(folder / model, components, device="cpu").shown
        if (folder / RECIPE).exists():
            parse(PipelineConfig, read_toml(folder / RECIPE), RECIPE)
        if (folder / SUMMARY).exists():
            read_summary(folder / SUMMARY)
    except UserError as error:  # a path that is deleted says nothing
        raise UserError(f"{name}: {str(error).replace(f'{folder}/', '')}") from None


def _stays(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not PurePosixPath(name).is_absolute() and "\\" not in name
