"""Plugins: what they offer, how they are found, loaded in isolation and asked for by name."""
