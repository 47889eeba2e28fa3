"""Downloading a scene: its archive by pooch, checked against its SHA-256, and one folder out of it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

import pooch
import requests

from nfcore import UserError
from nfcore.io import atomic_path
from nfcore.ui import Console
from nfcore_hub.datasets import Archive, PublicScene

_SECONDS = 30  # until a server that does not answer is given up
_CHUNK = 1 << 20
_MOST_BYTES = 8 << 30  # of one scene, uncompressed


def download_scene(scene: PublicScene, root: Path, *, quiet: bool = False) -> Path:
    """Return the folder of ``scene`` in ``root``, downloaded if it is not there yet.

    The archive is kept in ``root/archives`` for its other scenes.

    Raises:
        UserError: the server can't be reached or refuses, or the file is not the known one.

    """
    folder = root / scene.archive.folder / scene.name
    if folder.is_dir():
        return folder
    archive = _fetched(scene.archive, root / "archives", quiet=quiet)
    with atomic_path(folder) as temporary:
        _extract(archive, f"{scene.archive.folder}/{scene.name}/", temporary)
    return folder


class _Bar:
    """What pooch asks of a progress bar, shown on nfcore's console in MB."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.total = 0  # bytes, set by pooch
        self.done = 0

    def update(self, count: int) -> None:
        if not self.done:
            self.console.start("download", total=max(1, self.total >> 20), unit="MB")
        self.done += count
        self.console.step(self.done >> 20)

    def reset(self) -> None:  # called before pooch counts the whole file once more
        self.done = 0

    def close(self) -> None:
        pass


def _fetched(archive: Archive, folder: Path, *, quiet: bool) -> Path:
    pooch.get_logger().setLevel("ERROR")
    with Console(quiet=quiet) as console:
        loader = pooch.HTTPDownloader(progressbar=_Bar(console), chunk_size=_CHUNK, timeout=_SECONDS)
        try:
            path = pooch.retrieve(
                archive.url,
                known_hash=f"sha256:{archive.sha256}",
                fname=PurePosixPath(archive.url).name,
                path=folder,
                downloader=loader,
            )
        except (requests.RequestException, OSError) as error:
            raise UserError(f"{archive.url}: {str(error).splitlines()[0]}") from None
        except ValueError:
            raise UserError(
                f"{archive.url}: not the known file (SHA-256 {archive.sha256[:12]}...): it was changed or cut "
                "short, and is deleted"
            ) from None
    return Path(path)


def _extract(archive: Path, prefix: str, target: Path) -> None:
    """Write the files of ``archive`` below ``prefix`` into the folder ``target``; hidden ones are left out."""
    with zipfile.ZipFile(archive) as held:
        members = [member for member in held.infolist() if _wanted(member, prefix)]
        if sum(member.file_size for member in members) > _MOST_BYTES:
            raise UserError(f"{archive}: {prefix} is larger than {_MOST_BYTES >> 30} GiB: refused")
        if not members:
            raise UserError(f"{archive}: has no {prefix}")
        for member in members:
            path = target / member.filename.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            with held.open(member) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _wanted(member: zipfile.ZipInfo, prefix: str) -> bool:
    if member.is_dir() or not member.filename.startswith(prefix):
        return False
    parts = PurePosixPath(member.filename.removeprefix(prefix)).parts
    if not parts or ".." in parts or parts[0] == "/" or "\\" in member.filename:
        raise UserError(f"{member.filename!r} would leave its folder: refused")
    return not parts[-1].startswith(".")
