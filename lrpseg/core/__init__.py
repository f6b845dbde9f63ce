"""What everything stands on: errors, files, registries, devices, pictures, a cache."""

import os

MAX_PIXELS = 178_000_000
"""Larger pictures are refused before they are decoded (Pillow refuses from 178.9 megapixels on)."""

# OpenCV knows a picture's size only when it decodes it. It reads its limit when it is imported:
# whoever does that before lrpseg has OpenCV's own limit of 1074 megapixels.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
