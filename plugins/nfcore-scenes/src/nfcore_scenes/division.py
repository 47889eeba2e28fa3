"""The division of a recording's photos into train, val and test."""

from __future__ import annotations

from nfcore import Split, UserError
from nfcore.dataset import disjoint, hold_out
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.recording import PosedPhoto, Recording, counted

#: At least so many photos are needed: one to test on and two to train on.
_LEAST_PHOTOS = 3

Division = dict[Split, tuple[PosedPhoto, ...]]


def divided(recording: Recording, options: CaptureOptions) -> tuple[Division, tuple[str, ...]]:
    """Return the photos of each split, with notes: the files' own split, or every n-th photo as a test view.

    Raises:
        UserError: there are too few photos.

    """
    photos, where = recording.photos, recording.where
    if len(photos) < _LEAST_PHOTOS:
        raise UserError(
            f"{where}: {len(photos)} posed photos can be read, but at least {_LEAST_PHOTOS} are needed, "
            "one of them to test on"
        )
    if recording.splits is None:
        return hold_out(photos, options.test_every, options.hold_out, str(where)), ()
    known = {photo.name: photo for photo in photos}
    stated: dict[Split, tuple[str, ...]] = {
        split: tuple(name for name in names if name in known) for split, names in recording.splits.items()
    }
    names = _with_validation(_with_test(disjoint(stated)), options.hold_out)
    notes: tuple[str, ...] = ()
    tested = set(stated["test"])
    if shared := [name for name in stated["train"] if name in tested.union(stated["val"])] + [
        name for name in stated["val"] if name in tested
    ]:
        notes = (f"{counted(dict.fromkeys(shared), photos)} are in train and in test: they are only tested on",)
    if len(names["train"]) < 2 and not shared:
        raise UserError(f"{where} leaves {len(names['train'])} photos to train on: at least 2 are needed")
    if len(names["train"]) < 2 or not names["test"]:
        held_out = hold_out(photos, options.test_every, options.hold_out, str(where))
        return held_out, (
            *notes,
            f"{where} leaves {len(names['train'])} photos to train on and {len(names['test'])} to test on, so "
            f"every {options.test_every}th of all is a test view",
        )
    return {split: tuple(known[name] for name in members) for split, members in names.items()}, notes


def _with_test(names: dict[Split, tuple[str, ...]]) -> dict[Split, tuple[str, ...]]:
    """Return the splits with the validation views as test views if there are none, as nerfstudio has them."""
    return names if names["test"] else {"train": names["train"], "val": (), "test": names["val"]}


def _with_validation(names: dict[Split, tuple[str, ...]], every: int) -> dict[Split, tuple[str, ...]]:
    """Return the splits with every n-th training photo as a validation view if there are none; 0 for none."""
    if names["val"] or not every:
        return names
    train = names["train"]
    rest = tuple(name for index, name in enumerate(train) if index % every)
    return {"train": rest, "val": train[::every], "test": names["test"]}
