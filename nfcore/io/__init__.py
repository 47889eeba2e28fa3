"""Files that are written whole or not at all: text, tensors, images, videos."""
