"""``nfcore view``: show a run or a student in the browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nfcore import Interrupted
from nfcore.cli import ModelArgument, RunsOption, run_folder, say

# How long the page in progress may take after Ctrl-C.
_PATIENCE_SECONDS = 1.0


def view(
    run: ModelArgument,
    runs: RunsOption = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 for a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
) -> None:
    """Show a run in the browser: the viewer, its report, and progress while it trains.

    RUN may also be an exported page.
    """
    import threading
    import webbrowser

    from nfcore_web.server import Server
    from nfcore_web.site import Site

    site = Site(run_folder(run, runs))
    with Server(site.find, port) as server:
        worker = threading.Thread(target=site.work, daemon=True)
        worker.start()
        say(f"{server.url} shows {site.title}; Ctrl-C ends it")
        if browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except (Interrupted, KeyboardInterrupt):
            site.close()
            worker.join(_PATIENCE_SECONDS)
            if worker.is_alive():  # torch in a thread does not survive the end of the interpreter
                os._exit(130)
