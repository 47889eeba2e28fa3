"""Suffixes of the photos and videos that can be posed. Imports nothing: listings read it."""

#: Suffixes of photos, in lower case.
PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif")

#: Suffixes of videos, in lower case.
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".3gp", ".mts", ".m2ts")
