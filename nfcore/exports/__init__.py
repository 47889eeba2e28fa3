"""The deployed model, what exports are compared with, how close they come, their manifest and model card."""
