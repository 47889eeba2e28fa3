"""The id that a tracking service gave a run, kept in the run's folder."""

from __future__ import annotations

from pathlib import Path

from nfcore.io import read_json, write_json


class TrackingId:
    """The id under which a service tracks a run.

    A run that is resumed is tracked as the same one. A stage that is run again needs a new id, so that no curve
    has values of two attempts.

    Args:
        file: a JSON file in the run's folder, written when there is an id.
        store: where the service keeps its runs, such as a project or an address: an id is of one store only.

    Example:
        >>> import tempfile, pathlib
        >>> known = TrackingId(pathlib.Path(tempfile.mkdtemp()) / "id.json", "http://localhost:5000")
        >>> known.current("teach") is None
        True
        >>> known.set("a1b2")
        >>> known.finish("teach")
        >>> known.current("teach"), known.current("distill")
        (None, 'a1b2')

    """

    def __init__(self, file: Path, store: str) -> None:
        self.file = file
        self.store = store

    def current(self, stage: str) -> str | None:
        """Return the id to continue with ``stage``, or None where the run needs a new one."""
        known = read_json(self.file) if self.file.exists() else {}
        if known.get("store") != self.store or stage in known["finished"]:
            return None
        return str(known["id"])

    def set(self, new: str) -> None:
        """Remember a new id, under which no stage has finished yet."""
        write_json(self.file, {"store": self.store, "id": new, "finished": []})

    def finish(self, stage: str) -> None:
        """Remember that ``stage`` has finished under this id."""
        known = read_json(self.file)
        write_json(self.file, known | {"finished": [*known["finished"], stage]})
