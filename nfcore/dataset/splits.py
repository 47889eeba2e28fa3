"""Splits of a capture's photos: which are held out for validation and for testing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from nfcore.errors import UserError
from nfcore.interfaces import Split

Photo = TypeVar("Photo", bound=Hashable)


def hold_out(
    photos: Sequence[Photo], test_every: int, val_every: int, where: str
) -> dict[Split, tuple[Photo, ...]]:
    """Split photos as LLFF does: every n-th, from the first, is a test view; the same for validation in the rest.

    >>> hold_out("abcdefghij", test_every=8, val_every=4, where="letters")
    {'train': ('c', 'd', 'e', 'g', 'h', 'j'), 'val': ('b', 'f'), 'test': ('a', 'i')}

    Args:
        photos: all photos, in order.
        test_every: n for the test views, 2 or more.
        val_every: n for the validation views; 0 takes none.
        where: the data set, for the error.

    Raises:
        UserError: fewer than two photos are left to train on.

    """
    test = tuple(photos[::test_every])
    rest = [photo for index, photo in enumerate(photos) if index % test_every]
    val = tuple(rest[::val_every]) if val_every else ()
    train = tuple(photo for index, photo in enumerate(rest) if not val_every or index % val_every)
    if len(train) < 2:
        raise UserError(
            f"{where}: {len(photos)} posed photos leave {len(train)} to train on, with test_every = {test_every} "
            f"and hold_out = {val_every}: at least 2 are needed"
        )
    return {"train": train, "val": val, "test": test}


def disjoint(splits: dict[Split, tuple[Photo, ...]]) -> dict[Split, tuple[Photo, ...]]:
    """Return splits without photos that are in another one: no test or validation view is trained on.

    >>> disjoint({"train": ("a", "b", "c"), "val": ("b",), "test": ("a", "b")})
    {'train': ('c',), 'val': (), 'test': ('a', 'b')}
    """
    test = tuple(dict.fromkeys(splits["test"]))
    val = tuple(photo for photo in dict.fromkeys(splits["val"]) if photo not in test)
    train = tuple(photo for photo in dict.fromkeys(splits["train"]) if photo not in test and photo not in val)
    return {"train": train, "val": val, "test": test}
