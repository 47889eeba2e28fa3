"""The scheduler of a run's stages: executes each once, in all processes together or in the first one alone."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from nfcore.config.schema import ALL_VIEWS
from nfcore.config.stages import Stage
from nfcore.errors import Interrupted, NfcoreError
from nfcore.exports.manifest import Manifest
from nfcore.io.atomic import sweep
from nfcore.pipeline.export import exports_failed
from nfcore.plugin.isolation import reason
from nfcore.runs.artifacts import Artifacts
from nfcore.runs.folder import Run
from nfcore.runs.hooks import RunHooks
from nfcore.runs.reporter import StageReporter
from nfcore.runs.stages import Job, jobs_of
from nfcore.runs.worker_reporter import WorkerReporter
from nfcore.runtime import distributed
from nfcore.training.divergence import DivergedError
from nfcore.ui.console import Console


class Scheduler:
    """Executes the stages of one run, each once.

    Args:
        artifacts: the run's artifacts.
        console: shows progress.

    """

    def __init__(self, artifacts: Artifacts, console: Console) -> None:
        self.artifacts = artifacts
        self.run = artifacts.run
        self.console = console
        self.hooks = RunHooks(self.run.folder, artifacts.components, console.note)

    def due(self, stage: Stage) -> bool:
        """Whether ``stage`` has anything left to execute."""
        return any(self._due(job) for job in jobs_of(stage, self.run.config))

    def do(self, stage: Stage, labels: Collection[str] | None = None) -> None:
        """Execute the unfinished jobs of ``stage``.

        Args:
            stage: the stage.
            labels: the labels of the exports to make, for ``export``; all by default.

        Raises:
            UserError: the run has no such stage, or an earlier one that it needs is not finished.
            ExportsFailedError: some exports failed; all were tried.

        """
        self.artifacts.require_stage(stage)
        jobs = jobs_of(stage, self.run.config)
        if labels is not None:
            jobs = [job for job in jobs if job.name.partition(".")[2] in labels]
        self._execute(jobs)

    def do_all(self, stages: Iterable[Stage]) -> None:
        """Execute the unfinished jobs of all ``stages``; exports of the teacher follow its fit.

        A page that draws the teacher is there, and named, long before a student is trained.

        Raises:
            UserError: as ``do``.
            ExportsFailedError: some exports failed; everything else is finished.

        """
        jobs = [job for stage in stages for job in jobs_of(stage, self.run.config)]
        early = [job for job in jobs if job.optional and job.needs(self.artifacts) == "teach"]
        later = [job for job in jobs if job not in early]
        fitted = 1 + max((index for index, job in enumerate(later) if job.name == "teach"), default=-1)
        self._execute([*later[:fitted], *early, *later[fitted:]])

    def _execute(self, jobs: list[Job]) -> None:
        """Execute the unfinished ones of ``jobs``, in order; errors of optional ones are raised after the last."""
        failed: dict[str, Exception] = {}
        for job in jobs:
            if distributed.first():
                self._tidy(job)
            if not distributed.agreed(self._due(job)):
                continue
            if needed := job.needs(self.artifacts):
                self.artifacts.require(needed)
            if distributed.first():
                try:
                    self._work(job)
                except Exception as error:  # whatever one exporter raises, the others still run
                    if not job.optional:
                        raise
                    failed[job.name] = error
                else:
                    if job.optional and job is not jobs[-1]:
                        self._name_files(job)
                self.run.write_summary()
            elif job.shared:
                job.work(self.artifacts, WorkerReporter(self.run, job.name))
            distributed.wait()
        if distributed.first():
            self.run.write_summary()
        if failed:
            raise exports_failed(failed, of=sum(job.optional for job in jobs)) from next(iter(failed.values()))

    def _name_files(self, job: Job) -> None:
        """Say where the files of an export are while other work continues."""
        folder = self.run.exports_folder / job.name.partition(".")[2]
        for file in Manifest.read(folder).files:
            self.console.note(f"{job.name}: {folder / file.name}")

    def _due(self, job: Job) -> bool:
        finished = self.run.finished
        if (
            job.name == "evaluate" and job.name in finished
        ):  # the first runs of 0.1 scored all views without noting the protocol
            return bool(finished[job.name].get("protocol", ALL_VIEWS) != self.run.config.protocol)
        return job.name not in finished

    def _tidy(self, job: Job) -> None:
        """Remove the remains of a process that was killed during this job."""
        for folder in self.run.folders_written_by(job.name):
            sweep(folder)
        if not self._due(job):  # killed after it was finished, before its checkpoint was removed
            self.run.checkpoint_file(job.name).unlink(missing_ok=True)

    def _work(self, job: Job) -> None:
        """Execute ``job``, save its figures and its time, and call the plugins' hooks."""
        reporter = StageReporter(self.run, job.name, self.console, self.hooks)
        self.hooks.call("nfcore_stage_started", job.name)
        try:
            with reporter.resuming(), _suggesting_a_rate(self.run, job):
                figures = job.work(self.artifacts, reporter)
            figures[f"seconds.{job.name}"] = round(reporter.seconds, 1)
            self.run.finish(job.name, figures)
        except (Exception, KeyboardInterrupt, Interrupted) as error:
            self.hooks.call("nfcore_run_failed", job.name, error=reason(error).removesuffix(": "))
            raise
        self.hooks.call("nfcore_stage_finished", job.name, figures=figures)


@contextmanager
def _suggesting_a_rate(run: Run, job: Job) -> Iterator[None]:
    """Add to the error of a diverged training the command that restarts it with a quarter of the learning rate."""
    try:
        yield
    except DivergedError as error:
        rate = getattr(run.config, job.name).learning_rate / 4
        folder = shlex.quote(f"{run.folder}/")
        raise NfcoreError(
            f"{error}, such as 'nfcore run {folder} --resume --set {job.name}.learning_rate={rate:.2g}'"
        ) from error
