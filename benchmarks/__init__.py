"""Speed, memory and quality, measured: ratios side by side in one run, because machines are noisy."""
