"""``make release`` and ``python -m release``: build all distributions, check them, try them out.

``version 0.2.0`` and ``home https://...`` write what all distributions share.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from release.building import build
from release.checks import check, unpublished
from release.platforms import write_table
from release.projects import ROOT, home, projects, set_home, set_version
from release.trial import try_out

DIST = ROOT / "dist"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    actions = parser.add_subparsers(dest="action")
    actions.add_parser("build", help="build sdists, and wheels from them, into dist/; check them")
    trial = actions.add_parser("try", help="install one name in a fresh environment and run a small pipeline")
    trial.add_argument("extra", nargs="?", default="standard")
    trial.add_argument("--sdists", action="store_true", help="install nfcore's own distributions from sdists")
    actions.add_parser("version", help="set the version of all distributions").add_argument("value")
    actions.add_parser("home", help="set the address of the project's pages").add_argument("value")
    actions.add_parser("platforms", help="write the table of platforms in docs/installation.md")
    given = parser.parse_args()
    if given.action == "version":
        set_version(given.value)
    elif given.action == "home":
        set_home(given.value)
    elif given.action == "platforms":
        write_table()
    elif given.action == "build":
        build_all(DIST)
    elif given.action == "try":
        try_out(DIST, given.extra, sdists=given.sdists)
    else:
        build_all(DIST)
        try_out(DIST, "all")


def build_all(dist: Path) -> None:
    """Build and check all distributions."""
    shutil.rmtree(dist, ignore_errors=True)
    files = []
    for project in projects():
        built = build(project, dist)
        files += built
        print("  ".join(f"{path.name} {path.stat().st_size / 1e6:.2f} MB" for path in built), flush=True)
    problems = check(files)
    if problems:
        raise SystemExit("\n".join(problems))
    print(f"{len(files)} files in {dist} are sound")
    reason = unpublished(home())
    if reason:
        print(f"not to be uploaded yet: {reason}")


if __name__ == "__main__":
    main()
