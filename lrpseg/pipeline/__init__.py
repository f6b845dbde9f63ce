"""From a picture to a result: settings and their defaults, tiles, segmenter, operating points."""
