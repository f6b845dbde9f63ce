"""Pictures that several tests look at."""

import numpy as np
import pytest


@pytest.fixture
def large() -> np.ndarray:
    """(331, 545, 3): two rows of four tiles, of no aligned size, with a dark spot."""
    image = np.random.default_rng(0).integers(120, 220, (331, 545, 3), dtype=np.uint8)
    image[100:140, 200:300] = 20
    return image
