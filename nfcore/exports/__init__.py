"""What is known of an export: its manifest, its model card, and how close it comes to torch.

Names are imported on first use: reading a manifest costs no torch.
"""
