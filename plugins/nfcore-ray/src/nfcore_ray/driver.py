"""The ray driver: reads tasks as one JSON line, runs them with Ray, and writes events as JSON lines.

It is a separate process because Ray prints to its streams, and ends the process when the cluster is gone. It ends
when its standard input is closed, which also happens when its parent ends.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import ray
from ray.exceptions import RayError, RayTaskError

from nfcore.plugin import reason
from nfcore_ray.messages import Event, Orders, Outcome, Task
from nfcore_ray.task import do

# Ray's own retries are off, because they are silent. A worker ends with its task, which frees its GPU.
_do = ray.remote(max_retries=0, max_calls=1)(do)

_GIB = 2**30
_TICK_SECONDS = 0.5
# Ray itself waits a minute for a restarted head, and then ends the process.
_PATIENCE_SECONDS = 5.0


Tell = Callable[[Event], None]


def drive(orders: Orders, tell: Tell, stopped: threading.Event) -> None:
    """Execute the runs in ``orders``, each as a Ray task, until all have ended or ``stopped`` is set."""
    try:
        cluster = Cluster(orders.address)
    except Exception as error:  # Ray has an exception type for each cause
        where = f"the Ray cluster at {orders.address} does not answer" if orders.address else "Ray does not start"
        tell(Event(kind="lost", text=f"{where}: {reason(error).partition(': ')[2]}"))
        return
    too_much = cluster.lacks(orders.tasks[0])
    if too_much is not None:
        tell(Event(kind="note" if orders.address else "refused", text=too_much))
        if not orders.address:
            return
    pending = {_submit(task): (task, 1) for task in orders.tasks}
    while pending and not stopped.is_set():
        ended, _ = ray.wait(list(pending), timeout=_TICK_SECONDS)
        if not cluster.answers():
            tell(Event(kind="lost", text=f"the Ray cluster at {cluster.address} is gone"))
            return
        for reference in ended:
            task, attempt = pending.pop(reference)
            outcome = _outcome(reference)
            again = outcome.error is not None and not outcome.mistake and attempt <= orders.retries
            kind: Literal["again", "ended"] = "again" if again else "ended"
            tell(Event(kind=kind, run=task.name, attempt=attempt, outcome=outcome))
            if again:
                task.started.unlink(missing_ok=True)
                pending[_submit(task)] = task, attempt + 1


class Cluster:
    """The Ray cluster that this process belongs to.

    Args:
        address: HOST:PORT of its head, ``auto``, or None to start one on this machine.

    """

    def __init__(self, address: str | None) -> None:
        if address not in (None, "auto") and not _open(_door(address)):
            raise ConnectionError("nothing listens there")  # Ray would wait silently
        here: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": 80 * 2**20}
        try:
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
        except ConnectionError as error:
            hint = "if it requires a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
            raise ConnectionError(f"{error}; {hint}") from None
        context = ray.get_runtime_context()
        (node,) = [node for node in ray.nodes() if node["NodeID"] == context.get_node_id()]
        self.address: str = context.gcs_address
        self._doors = [_door(self.address), (node["NodeManagerAddress"], int(node["NodeManagerPort"]))]

    def lacks(self, task: Task) -> str | None:
        """Return why no machine of the cluster could ever execute ``task``, or None."""
        need = {"CPU": float(task.cpus), "GPU": task.gpus, "memory": (task.memory or 0) * _GIB}
        have = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= value for name, value in need.items()) for node in have):
            return None
        most = [
            f"{max((node.get(name, 0) for node in have), default=0) / unit:.4g} {word}"
            for name, unit, word in (("CPU", 1, "CPUs"), ("GPU", 1, "GPUs"), ("memory", _GIB, "GiB"))
        ]
        return f"no machine has the resources of one run; the most available: {', '.join(most)}"

    def answers(self) -> bool:
        """Whether the head and this machine's raylet accept connections, now or within some seconds."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not all(_open(door) for door in self._doors):
            if time.monotonic() > until:
                return False
            time.sleep(_TICK_SECONDS)
        return True


def _door(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("an address is HOST:PORT, or auto")
    return host, int(port)


def _open(door: tuple[str, int]) -> bool:
    try:
        socket.create_connection(door, timeout=2).close()
    except OSError:
        return False
    return True


def _submit(task: Task) -> Any:
    """Return the reference of a new Ray task."""
    memory = {} if task.memory is None else {"memory": int(task.memory * _GIB)}
    options = _do.options(name=task.name, num_cpus=task.cpus, num_gpus=task.gpus, **memory)
    return options.remote(task.model_dump_json())


def _outcome(reference: Any) -> Outcome:
    """Return the outcome of a task, also if its worker died."""
    try:
        return Outcome.model_validate_json(ray.get(reference))
    except RayTaskError as error:  # such as a machine without this plugin
        return Outcome(error=f"its worker can't execute it: {reason(error.cause)}")
    except RayError as error:
        return Outcome(error=f"its worker died: {reason(error).removesuffix('.')}")


def main() -> None:
    """Read orders from standard input; write only events to standard output, and Ray's output to the log."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics unless the user enables them
    orders = Orders.model_validate_json(sys.stdin.readline())
    stopped = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stopped.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    lost = False

    def tell(event: Event) -> None:
        nonlocal lost
        lost = lost or event.kind == "lost"
        events.write(event.model_dump_json() + "\n")

    drive(orders, tell, stopped)
    if lost:  # Ray's shutdown would wait for the lost cluster
        events.flush()
        os._exit(1)
    ray.shutdown()


if __name__ == "__main__":
    main()
