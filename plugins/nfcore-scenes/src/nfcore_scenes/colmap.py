"""COLMAP captures: a sparse reconstruction next to its photos."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from nfcore import UserError
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.colmap_files import Model, Registered, read_model
from nfcore_scenes.colmap_records import read_images
from nfcore_scenes.frames import MaskUse
from nfcore_scenes.photo_finder import PhotoFinder, normal_path
from nfcore_scenes.photo_folders import PhotoFolder, best_folder
from nfcore_scenes.recording import PosedPhoto, Recording, counted

#: Possible folders of the model, relative to the data set's folder.
MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", ".")
#: Possible folders of masks, in the data set's folder.
_MASK_FOLDERS = ("masks", "mask")
#: Photos are looked for in so many folders above ``path``: that of sparse/0 is two levels up.
_LEVELS_ABOVE = 2


class Colmap(CaptureSource):
    """Photos posed by COLMAP (Schoenberger and Frahm 2016), undistorted once and cached on disk.

    The world is rotated upright and moved so that the point the cameras look at is the origin, or recentred if all
    look the same way; its scale is the model's. Depth range and box are those of the points or, without points,
    estimated from the cameras. Without alpha the scene is unbounded. Every 8th photo, by name, is a test view.
    """

    class Options(CaptureOptions):
        """Options of ``colmap``."""

        path: Path = Field(description="Folder with sparse/0 and images")
        model: Path | None = Field(
            None,
            description=f"Folder of the model, relative to path; by default one of {', '.join(MODEL_FOLDERS)}",
        )
        images: Path | None = Field(
            None, description="Folder of the photos, relative to path; by default images, images_2, ... by size"
        )
        masks: MaskUse = Field(
            "ignore",
            description="What black pixels in masks/PHOTO.png, as COLMAP names them, are: ignored, or transparent "
            "if the masks cut out an object; or off, to not use masks",
        )

    options: Options

    def read(self) -> Recording:
        """Read the model, and find its photos."""
        options = self.options
        folder = _model_folder(options)
        model = read_model(folder)
        photos, root = self._photos(model)
        masks = next((PhotoFinder(root / name) for name in _MASK_FOLDERS if (root / name).is_dir()), None)
        found, missing, unposed = [], [], []
        for photo in model.photos:
            file = photos.find(photo.name, f"{folder}: photo")
            if file is None:
                missing.append(normal_path(photo.name))
            elif photo.pose is None:
                unposed.append(normal_path(photo.name))
            else:
                mask = None if masks is None or options.masks == "off" else _mask(masks, photo)
                found.append(_posed(photo, file, mask, options.masks))
        if not found:
            raise UserError(
                f"{photos.folder} has none of the {len(model.photos)} photos of the model, "
                f"such as {(missing or unposed or ['a photo'])[0]}"
            )
        notes = (
            f"{counted(missing, model.photos)} of the model are missing and left out" if missing else "",
            f"{counted(unposed, model.photos)} of the model have no finite pose and are left out"
            if unposed
            else "",
            f"photos are not where the model says, but in {photos.folder}" if photos.moved else "",
            *([] if options.model else _other_models(folder, options.path)),
            _unmasked(masks, found) if masks is not None and options.masks != "off" else "",
            "" if len(model.points) else "the model has no points: bounds are estimated from the cameras",
        )
        return Recording(
            where=folder,
            photos=tuple(found),
            points=model.points if len(model.points) else None,
            colours=model.colours if len(model.points) else None,
            sightings=model.sightings(),
            keeps_world=False,
            notes=tuple(note for note in notes if note),
        )

    def _photos(self, model: Model) -> tuple[PhotoFolder, Path]:
        """Return where the photos are, and the data set's folder: ``path`` may be the model's own folder in it."""
        path, names = self.options.path, [photo.name for photo in model.photos]
        if self.options.images is not None:
            return PhotoFolder.of(path / self.options.images, names), path
        try:
            return best_folder(path, names, self.image_size), path
        except UserError:
            leads_out = any(normal_path(name).startswith("../") for name in names)
            for above in [] if leads_out else list(path.resolve().parents)[:_LEVELS_ABOVE]:
                with suppress(UserError):
                    return best_folder(above, names, self.image_size, search=False), above
            raise


def _posed(photo: Registered, file: Path, mask: Path | None, use: MaskUse) -> PosedPhoto:
    assert photo.pose is not None
    ignored, cut_out = (mask, None) if use == "ignore" else (None, mask)
    return PosedPhoto(normal_path(photo.name), file, photo.pose, photo.lens, ignored, cut_out)


def _mask(masks: PhotoFinder, photo: Registered) -> Path | None:
    """Return the mask of a photo: a.jpg.png, as COLMAP names it, or a.png."""
    where = f"{masks.folder}: mask"
    return masks.find(f"{photo.name}.png", where) or masks.find(photo.name, where)


def _unmasked(masks: PhotoFinder, photos: list[PosedPhoto]) -> str:
    """Return a sentence if no mask is any photo's."""
    if any(photo.mask or photo.cutout for photo in photos):
        return ""
    name = photos[0].name
    return f"no mask in {masks.folder} has a photo's name: {name}.png is the mask of {name}"


def _other_models(folder: Path, path: Path) -> Iterator[str]:
    """Yield a sentence for each model next to the one in ``folder``: photos that fall apart have several."""
    if not folder.name.isdecimal():
        return
    for other in sorted(folder.parent.iterdir()):
        files = [other / f"images{suffix}" for suffix in (".bin", ".txt") if (other / f"images{suffix}").is_file()]
        if other.name.isdecimal() and other != folder and files:
            name, photos = other.relative_to(path).as_posix(), len(read_images(files[0]))
            yield f"{name} is another model, of {photos} photos, and is not read: model={name} chooses it"


def _model_folder(options: Colmap.Options) -> Path:
    if options.model is not None:
        return options.path / options.model
    for candidate in MODEL_FOLDERS:
        folder = options.path / candidate
        if any((folder / f"cameras{suffix}").is_file() for suffix in (".bin", ".txt")):
            return folder
    raise UserError(f"{options.path} has no COLMAP model: no cameras.bin or .txt in {', '.join(MODEL_FOLDERS)}")
