"""Ctrl-C, SIGTERM and SIGHUP: work ends at its next step, or soon after that wherever it is."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from nfcore.errors import Interrupted

#: Seconds until work that has no steps, or long ones, is interrupted wherever it is.
STEP_SECONDS = 1.5
#: Seconds until the process ends, whatever it is doing: files are written atomically, so nothing is lost.
END_SECONDS = 3.5

_HANDLED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_received: int | None = None
_answered = 0  # how many signals did not end the process
_handling = False
_resume: list[str] = []  # of the work in progress, innermost last


def handling() -> bool:
    """Whether signals raise ``Interrupted`` here, so that a ``KeyboardInterrupt`` is no user's."""
    return _handling


def received() -> bool:
    """Whether a signal asks the work to end."""
    return _received is not None


def check() -> None:
    """Raise ``Interrupted`` if a signal asks the work to end: call it where ending loses nothing."""
    if _received is not None:
        raise _interrupted()


def forget() -> None:
    """Take a signal as answered: work continues."""
    global _received, _answered
    _received, _answered = None, _answered + 1


@contextmanager
def ending_at_steps(resume: str) -> Iterator[None]:
    """Let a signal wait for ``check`` within the context; ``resume`` is the command that resumes the work."""
    _resume.append(resume)
    try:
        yield
        check()
    finally:
        _resume.pop()


@contextmanager
def handled() -> Iterator[None]:
    """Handle the signals within the context, in the main thread; one that is ignored (nohup) stays ignored."""
    global _handling
    if threading.current_thread() is not threading.main_thread() or _handling:
        yield
        return
    before = {number: signal.getsignal(number) for number in _HANDLED}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    forget()
    _handling = True
    for number in ours:
        signal.signal(number, _handle)
    # Python calls a handler when the main thread is back from C code; this socket has the signal at once.
    previous = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_insist, args=(receiver, ours), name="nfcore-signals", daemon=True).start()
    try:
        yield
    finally:
        _handling = False
        signal.set_wakeup_fd(previous)
        for number in ours:
            signal.signal(number, before[number])
        sender.close()


def _handle(number: int, frame: FrameType | None) -> None:
    global _received
    again = _received is not None
    _received = _received or number
    if again or not _resume:
        raise _interrupted()


def _interrupted() -> Interrupted:
    return Interrupted(_received or signal.SIGINT, _resume[-1] if _resume else "")


def _insist(receiver: socket.socket, numbers: list[int]) -> None:
    """Wait for a signal; interrupt what does not end by itself, then end the process."""
    with receiver:
        while data := receiver.recv(1):
            number, answered, main = data[0], _answered, threading.main_thread()
            if number not in numbers:
                continue
            time.sleep(STEP_SECONDS)
            if answered == _answered and _handling:
                signal.pthread_kill(main.ident or 0, number)
                receiver.recv(1)  # its own
            time.sleep(END_SECONDS - STEP_SECONDS)
            if answered == _answered and (_handling or not main.is_alive()):
                _end(Interrupted(number, _resume[-1] if _resume else ""))


def _end(stop: Interrupted) -> None:
    """End the process now, whatever its threads do."""
    if _handling:  # else the main thread has said it
        sys.stderr.write(f"nfcore: {stop}\n")
        sys.stderr.flush()
    os._exit(stop.exit_code)
