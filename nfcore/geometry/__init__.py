"""Where things are: boxes, bounded spaces, and the regions from which a scene may be looked at."""
