"""Measurements of a student and its exports on this machine: latency, memory, size."""
