"""What a student and its exports cost here: time, memory, size, side by side in one process."""
