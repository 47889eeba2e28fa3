"""The machine: devices, threads, memory, processes, optimisers, and text that a terminal or a page may show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.runtime.devices import choose_device as choose_device
    from nfcore.runtime.devices import device_of as device_of
    from nfcore.runtime.devices import has_double_precision as has_double_precision
    from nfcore.runtime.memory import require_memory as require_memory
    from nfcore.runtime.optimizers import eager_optimizer as eager_optimizer
    from nfcore.runtime.plain_text import markdown as markdown
    from nfcore.runtime.plain_text import markdown_table as markdown_table
    from nfcore.runtime.plain_text import plain as plain
    from nfcore.runtime.threads import limited_threads as limited_threads
    from nfcore.runtime.threads import single_thread as single_thread
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
