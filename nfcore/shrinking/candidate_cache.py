"""The candidate cache: exports candidates of one model, compares them with photos, and keeps the results."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ValidationError

from nfcore.config.schema import Choice
from nfcore.errors import UserError
from nfcore.exports.parity import NoImageError, compare, shortfall
from nfcore.exports.reference import Reference
from nfcore.interfaces import Exporter, VerificationUnavailable
from nfcore.interfaces.boundaries import check_exported, check_runner
from nfcore.io.atomic import write_json
from nfcore.io.json_files import read_json
from nfcore.io.records import Count, Name, Record
from nfcore.measuring.packages import Package
from nfcore.plugin.isolation import reason
from nfcore.plugin.manager import PluginManager
from nfcore.shrinking.pareto_selection import Measured
from nfcore.shrinking.quality import Score

Found = TypeVar("Found", bound=BaseModel)


class _Package(Record):
    """What was measured of a package."""

    precision: Name
    bytes: Count
    score: Score | None
    refused: str | None
    timed: bool

    @classmethod
    def of(cls, measured: Measured) -> _Package:
        return cls(**{name: getattr(measured, name) for name in cls.model_fields})

    def as_measured(self, choice: Choice) -> Measured:
        return Measured(choice, self.precision, self.bytes, self.score, self.refused, timed=self.timed)


class CandidateCache:
    """Exports packages and measures them; results are cached in a file.

    Args:
        reference: the model to export, and the photos that its packages are compared with.
        manager: the manager of the exporters.
        path: the cache file; it is discarded if the model, the photos or the plugins changed.
        progress: called for each measured package.

    """

    def __init__(
        self,
        reference: Reference,
        manager: PluginManager,
        path: Path,
        progress: Callable[[Measured], None] = lambda measured: None,
    ) -> None:
        self.reference = reference
        self.manager = manager
        self.path = path
        self.progress = progress
        self._fingerprint = _fingerprint(reference)

    def measure(self, choice: Choice) -> Measured:
        """Return the measurements of a package, from the cache or made now; a package that fails has no score."""
        data = self.remembered("package", choice, _Package, lambda: _Package.of(self._new(choice)))
        measured = data.as_measured(choice)
        self.progress(measured)
        return measured

    def remembered(self, what: str, choice: Choice, model: type[Found], find: Callable[[], Found]) -> Found:
        """Return the result of ``find`` for a choice, from the cache if it has a ``model`` there, or now."""
        plugin, component = self.manager.find("exporter", choice.name)
        exporter = f"{plugin.distribution}/{component.name} {plugin.source.version}"
        key = json.dumps([what, self._fingerprint, exporter, choice.options], sort_keys=True)
        try:
            return model.model_validate(self._read()[key])
        except (KeyError, ValidationError):
            found = find()
        write_json(self.path, self._read() | {key: found.model_dump(mode="json")})
        return found

    @contextmanager
    def made(self, choice: Choice, label: str) -> Iterator[Package]:
        """Yield the package, exported to a temporary folder.

        Raises:
            NfcoreError: the export failed.

        """
        with tempfile.TemporaryDirectory(prefix="nfcore-shrink-") as folder:
            yield self._export(choice, label, Path(folder))[0]

    def build(self, choice: Choice) -> Exporter[Any]:
        """Return the exporter of a choice."""
        return self.manager.build("exporter", choice.name, choice.options)

    def _new(self, choice: Choice) -> Measured:
        precision, size = "not made", 0
        try:
            with tempfile.TemporaryDirectory(prefix="nfcore-shrink-") as folder:
                package, precision = self._export(choice, "", Path(folder))
                size = package.bytes
                runner = check_runner(package.exporter, package.exporter.load(package.folder))
                comparison = compare(self.reference, runner)
        except VerificationUnavailable as why:
            return Measured(choice, precision, size, refused=f"it can't be run here: {why}")
        except NoImageError as error:
            return Measured(choice, precision, size, refused=str(error))
        except OSError:  # the disk's fault, not the package's: not to be remembered
            raise
        except Exception as error:  # one failing exporter must not stop the others
            return Measured(choice, "not made", 0, refused=reason(error))
        missing = shortfall(comparison.parity, package.exporter.tolerance)
        refused = missing and f"differs from torch: {missing}"
        return Measured(choice, precision, size, Score.of(comparison), refused, timed=runner.timed)

    def _export(self, choice: Choice, label: str, folder: Path) -> tuple[Package, str]:
        exporter = self.build(choice)
        exported = check_exported(exporter, exporter.export(self.reference.model, folder), folder)
        return Package(label, choice, exporter, folder, exported.extras), exported.precision

    def _read(self) -> dict[str, Any]:
        try:
            remembered = read_json(self.path)
        except UserError:  # missing or damaged: it is only a cache
            return {}
        return remembered if isinstance(remembered, dict) else {}


def _fingerprint(reference: Reference) -> str:
    """Return a hash of a model and its photos."""
    assert reference.photos is not None  # shrinking requires photos
    digest = hashlib.blake2b(f"{version('neural-field-core')} {torch.__version__}".encode(), digest_size=16)
    weights = (tensor for part in reference.model.parts.values() for tensor in part.state_dict().values())
    for tensor in (*weights, reference.cameras.poses, *reference.photos.images):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
