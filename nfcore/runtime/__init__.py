"""The machine that work runs on: devices, threads, memory, processes."""
