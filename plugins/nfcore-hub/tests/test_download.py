"""Scenes by name: downloaded from a server on this machine, checked, and only the wanted folder kept."""

from __future__ import annotations

import functools
import hashlib
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nfcore import UserError
from nfcore_hub.datasets import SCENES, Archive, PublicScene, scene_named
from nfcore_hub.download import download_scene


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path):
    """A folder with a server."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def zipped(served, members: dict[str, str], sha256: str | None = None) -> PublicScene:
    """A scene ``ball`` in an archive with these members."""
    folder, address = served
    with zipfile.ZipFile(folder / "shapes.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    found = hashlib.sha256((folder / "shapes.zip").read_bytes()).hexdigest()
    archive = Archive("Shapes", f"{address}/shapes.zip", sha256 or found, "shapes")
    return PublicScene("ball", "CC0", "Ada", "http://127.0.0.1/licence", archive)


MEMBERS = {
    "shapes/ball/train/r_0.png": "a photo",
    "shapes/ball/.DS_Store": "",
    "shapes/cube/train/r_0.png": "another",
    "__MACOSX/shapes/ball/r_0.png": "",
}


def test_a_scene_is_one_folder_of_its_archive_which_is_kept_for_the_others(served, tmp_path):
    scene = zipped(served, MEMBERS)
    folder = download_scene(scene, tmp_path / "data", quiet=True)
    assert folder == tmp_path / "data/shapes/ball"
    assert [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()] == ["train/r_0.png"]
    (served[0] / "shapes.zip").unlink()  # the server is not asked again
    cube = PublicScene("cube", "CC0", "Ada", "", scene.archive)
    assert (download_scene(cube, tmp_path / "data", quiet=True) / "train/r_0.png").read_text() == "another"
    assert download_scene(scene, tmp_path / "data", quiet=True) == folder


def test_a_file_that_is_not_the_known_one_is_refused_and_deleted(served, tmp_path):
    scene = zipped(served, MEMBERS, sha256="0" * 64)
    with pytest.raises(UserError, match="not the known file"):
        download_scene(scene, tmp_path / "data", quiet=True)
    assert not [p for p in (tmp_path / "data").rglob("*") if p.is_file()]


@pytest.mark.parametrize("name", ["shapes/ball/../../escaped", "shapes/ball//escaped", "shapes/ball/..\\escaped"])
def test_an_archive_whose_files_leave_their_folder_is_refused(served, tmp_path, name):
    with pytest.raises(UserError, match="leave its folder"):
        download_scene(zipped(served, {name: "x"}), tmp_path / "data", quiet=True)
    assert not (tmp_path / "data/shapes/ball").exists()


def test_a_server_that_refuses_or_is_not_there_is_one_line_with_its_address(served, tmp_path):
    scene = zipped(served, MEMBERS)
    (served[0] / "shapes.zip").unlink()
    elsewhere = Archive("Shapes", "http://127.0.0.1:9/shapes.zip", "0" * 64, "shapes")
    for asked in (scene, PublicScene("ball", "CC0", "Ada", "", elsewhere)):
        with pytest.raises(UserError, match=r"http://127\.0\.0\.1") as caught:
            download_scene(asked, tmp_path / "data", quiet=True)
        assert "\n" not in str(caught.value)


def test_every_scene_states_its_licence_its_author_and_a_hash():
    for scene in SCENES:
        assert scene.licence.startswith("CC")
        assert scene.author
        assert len(bytes.fromhex(scene.archive.sha256)) == 32
        assert scene.archive.url.startswith("https://")


def test_an_unknown_scene_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'lego'"):
        scene_named("legos")
