"""Benchmarks of speed, memory and quality, as ratios measured in one run, because machines are noisy."""
