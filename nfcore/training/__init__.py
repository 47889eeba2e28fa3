"""Training a student: the optimisation loop and its parts."""
