"""Draws the app's sample pictures, damaged and intact, with the exact masks of what was drawn.

    python -m training.draw_samples --out assets/samples --seed 0

Nothing is copied from a data set: metal, concrete, cracks and blowholes are all made of noise.
Writes <name>.png and truth/<name>.png (255 = damage) for each entry of SAMPLES.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d

Field = NDArray[np.float64]
"""A value per pixel: brightness in grey levels, or the share of a pixel that damage covers."""

OVERSAMPLING = 4
"""Shapes are drawn this many times larger, then averaged, for smooth outlines."""


@dataclass(frozen=True)
class Sample:
    """A picture (grey or RGB, 8 bit) and the mask of the damage in it."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Damage:
    """A defect: the share of each pixel it covers, how much light it takes, and its bright edge."""

    coverage: Field
    depth: float
    rim: float = 0.0


# Surfaces


def noise(rng: Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> Field:
    """Gaussian noise, smoothed by sigma (down, across), of mean 0 and deviation 1."""
    # Drawn with a margin, so that long correlations do not mirror at the border.
    pad = [int(2 * s) for s in sigma]
    field = rng.standard_normal((shape[0] + 2 * pad[0], shape[1] + 2 * pad[1]))
    field = gaussian_filter(field, sigma, mode="wrap")
    field /= field.std()
    return field[pad[0] : pad[0] + shape[0], pad[1] : pad[1] + shape[1]]


def brushed_metal(rng: Generator, shape: tuple[int, int], level: float) -> Field:
    """A ground tile of mean brightness `level`: vertical streaks, glints, stains, uneven light."""
    light = 0.10 * noise(rng, shape, (90, 60)) + 0.04 * noise(rng, shape, (30, 20))
    bands = 0.035 * noise(rng, shape, (250, 14)) + 0.045 * noise(rng, shape, (180, 4))
    streaks = 0.055 * noise(rng, shape, (70, 0.8)) + 0.04 * noise(rng, shape, (16, 0.5))
    grain = 0.025 * noise(rng, shape, (2.5, 0.5)) + 0.015 * noise(rng, shape, (3, 3))
    # Single ridges catch the light; more of them where the surface is ground more coarsely.
    coarse = np.clip(0.5 + 0.5 * noise(rng, shape, (50, 25)), 0.1, 1.5)
    glints = 0.16 * coarse * np.clip(noise(rng, shape, (45, 0.6)) - 1.4, 0, None)
    glints *= 1 + 0.35 * noise(rng, shape, (2, 0.5))
    return level * np.clip(1 + light + bands + coarse * (streaks + grain) + glints, 0.2, None)


def scuffs(rng: Generator, shape: tuple[int, int], count: int) -> Field:
    """Factors near 1 that draw `count` short faint smudges, as on tiles that count as intact."""
    total = np.zeros(shape)
    for _ in range(count):
        start = rng.uniform((0.15, 0.1), (0.85, 0.9)) * shape
        length = rng.uniform(15, 45)
        stroke = crack(rng, shape, start, rng.uniform(-1.4, 1.4), length, 3.0, branches=0)
        total += rng.uniform(-0.3, 0.4) * gaussian_filter(stroke, 2.2)
    return 1 - 0.5 * total * np.clip(1 + 0.5 * noise(rng, shape, (4, 2)), 0, None)


def side_frame(rng: Generator, shape: tuple[int, int], left: float, right: float) -> Field:
    """Factors that darken the background left and right of a tile and its rounded edges.

    left, right: width of the background in pixels; a bright line runs inside each edge.
    """
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    factors = np.ones(shape)
    for margin, inward in ((left, columns), (right, shape[1] - 1 - columns)):
        slant = rng.uniform(-2.5, 2.5) * (rows / shape[0] - 0.5)
        distance = inward - margin - slant
        tile = 1 / (1 + np.exp(-distance / 1.1))
        shade = 1 - 0.45 * np.exp(-np.clip(distance, 0, None) / rng.uniform(15, 40))
        gleam = np.exp(-(((distance - rng.uniform(5, 9)) / 2.0) ** 2))
        gleam = 0.45 * gleam * np.clip(0.6 + 0.6 * noise(rng, shape, (25, 1)), 0, None)
        factors *= (0.12 + 0.88 * tile) * (shade + gleam)
    return factors


def concrete(rng: Generator, shape: tuple[int, int], pores: int) -> Field:
    """Factors of cast concrete around 1: clouds, sand grain, and `pores` small dark pits."""
    clouds = 0.045 * noise(rng, shape, (40, 50)) + 0.02 * noise(rng, shape, (9, 12))
    sand = 0.02 * noise(rng, shape, (2.2, 2.2)) + 0.03 * noise(rng, shape, (0.9, 0.9))
    specks = 0.08 * np.clip(noise(rng, shape, (1.3, 1.3)) - 1.9, 0, None)
    factors = 1 + clouds + sand - specks
    for _ in range(pores):
        centre = rng.uniform((0, 0), shape)
        pit = blowhole(rng, shape, centre, rng.uniform(0.7, 1.8), rng.uniform(0.6, 1))
        factors = engrave(factors, Damage(pit, rng.uniform(0.2, 0.5), rim=0.2))
    return factors


# Damage


def crack(
    rng: Generator,
    shape: tuple[int, int],
    start: NDArray[np.float64] | tuple[float, float],
    heading: float,
    length: float,
    width: float,
    branches: int,
) -> Field:
    """Coverage of a crack: a random walk of varying width that tapers out, with side branches.

    start: (row, column); heading: 0 runs down, positive to the right, in radians.
    """
    path = crack_path(rng, start, heading, length)
    steps = len(path)
    thickness = np.exp(0.35 * noise(rng, (steps, 1), (5, 0))[:, 0])
    thickness *= width * np.minimum(1, (steps - np.arange(steps)) / (0.3 * steps)) ** 0.6
    canvas = np.zeros((shape[0] * OVERSAMPLING, shape[1] * OVERSAMPLING), np.uint8)
    for (row, column), size in zip(path, thickness, strict=True):
        # OpenCV's fixed point: 4 fractional bits.
        centre = [round((v + 0.5) * OVERSAMPLING * 16) for v in (column, row)]
        cv2.circle(canvas, centre, round(size / 2 * OVERSAMPLING * 16), 255, -1, cv2.LINE_8, 4)
    coverage = shrink(canvas)
    for _ in range(branches):
        fork = path[int(rng.uniform(0.2, 0.75) * steps)]
        turned = heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
        reach = length * rng.uniform(0.15, 0.3)
        coverage = np.maximum(coverage, crack(rng, shape, fork, turned, reach, 0.7 * width, 0))
    return coverage


def crack_path(
    rng: Generator, start: NDArray[np.float64] | tuple[float, float], heading: float, length: float
) -> NDArray[np.float64]:
    """Points (row, column), half a pixel apart, of a walk that kinks but keeps to its heading."""
    steps = max(int(2 * length), 2)
    kinks = rng.normal(0, 0.75, steps) * (rng.random(steps) < 0.12)
    angle, angles = 0.0, np.empty(steps)
    for i in range(steps):
        angle = 0.94 * angle + kinks[i] + rng.normal(0, 0.06)
        angles[i] = heading + angle
    moves = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(start) + gaussian_filter1d(np.cumsum(moves, axis=0), 1.0, axis=0)


def blowhole(
    rng: Generator,
    shape: tuple[int, int],
    centre: NDArray[np.float64] | tuple[float, float],
    radius: float,
    flatness: float,
) -> Field:
    """Coverage of a pit: an ellipse (axes' ratio `flatness`) whose outline waves a little."""
    theta = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = np.full(theta.shape, radius)
    for k in (2, 3, 4, 5):
        outline *= 1 + rng.normal(0, 0.22 / k) * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
    tilt = rng.normal(0, 0.35)
    along, across = outline * np.cos(theta), outline * np.sin(theta) * flatness
    rows = centre[0] + along * np.cos(tilt) - across * np.sin(tilt)
    columns = centre[1] + along * np.sin(tilt) + across * np.cos(tilt)
    canvas = np.zeros((shape[0] * OVERSAMPLING, shape[1] * OVERSAMPLING), np.uint8)
    corners = (np.stack([columns, rows], axis=1) + 0.5) * OVERSAMPLING
    cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 255)
    return shrink(canvas)


def shrink(canvas: NDArray[np.uint8]) -> Field:
    """Share of each pixel that is set on an oversampled canvas."""
    size = (canvas.shape[1] // OVERSAMPLING, canvas.shape[0] // OVERSAMPLING)
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(float) / 255


def engrave(surface: Field, damage: Damage) -> Field:
    """The surface with the damage in it: dark where covered, a little brighter just outside."""
    soft = gaussian_filter(damage.coverage, 0.6)
    halo = np.clip(gaussian_filter(damage.coverage, 2.0) - soft, 0, None)
    return surface * (1 - damage.depth * soft) * (1 + damage.rim * halo)


# Pictures


def photograph(rng: Generator, scene: Field, sigma: float) -> NDArray[np.uint8]:
    """The scene in 8 bits, as a sensor with noise of deviation `sigma` records it."""
    return np.clip(np.rint(scene + rng.normal(0, sigma, scene.shape)), 0, 255).astype(np.uint8)


def mask_of(shape: tuple[int, int], damages: list[Damage]) -> NDArray[np.bool_]:
    """Pixels that are at least half covered by some damage."""
    covered = np.zeros(shape, bool)
    for damage in damages:
        covered |= damage.coverage >= 0.5
    return covered


def tile_sample(
    rng: Generator,
    shape: tuple[int, int],
    level: float,
    sides: tuple[float, float],
    damages: list[Damage],
) -> Sample:
    """A metal tile with some damage; level: brightness, sides: background left and right."""
    surface = brushed_metal(rng, shape, level) * scuffs(rng, shape, 5)
    for damage in damages:
        surface = engrave(surface, damage)
    scene = surface * side_frame(rng, shape, *sides)
    return Sample(photograph(rng, scene, 2.0), mask_of(shape, damages))


def concrete_sample(
    rng: Generator, colour: tuple[int, int, int], pores: int, damages: list[Damage]
) -> Sample:
    """A 256-pixel patch of concrete of a colour (RGB), with some damage."""
    shape = (256, 256)
    surface = concrete(rng, shape, pores)
    for damage in damages:
        surface = engrave(surface, damage)
    tint = 0.012 * noise(rng, shape, (30, 30))
    channels = [c * surface * (1 + k * tint) for c, k in zip(colour, (1, 0, -1), strict=True)]
    return Sample(photograph(rng, np.stack(channels, axis=2), 1.2), mask_of(shape, damages))


def draw_blowhole(rng: Generator) -> Sample:
    """One blowhole off the middle of a tile."""
    shape = (300, 330)
    return tile_sample(
        rng, shape, 95, (6, 3), [Damage(blowhole(rng, shape, (178, 205), 6.5, 0.7), 0.55, 0.8)]
    )


def draw_crack(rng: Generator) -> Sample:
    """A branching crack from the upper border of a tile."""
    shape = (350, 300)
    line = crack(rng, shape, (-2, 120), 0.25, 190, 3.0, branches=2)
    return tile_sample(rng, shape, 100, (4, 5), [Damage(line, 0.65, 0.9)])


def draw_several(rng: Generator) -> Sample:
    """A crack and two blowholes."""
    shape = (340, 420)
    line = crack(rng, shape, (150, 130), -0.3, 130, 2.8, branches=1)
    small = blowhole(rng, shape, (95, 300), 5.0, 0.8)
    large = blowhole(rng, shape, (240, 315), 7.0, 0.65)
    damages = [Damage(line, 0.65, 0.8), Damage(small, 0.55, 0.8), Damage(large, 0.6, 0.8)]
    return tile_sample(rng, shape, 110, (5, 7), damages)


def draw_intact(rng: Generator) -> Sample:
    """A tile with streaks and scuffs, but no damage."""
    return tile_sample(rng, (340, 320), 95, (5, 4), [])


def draw_faint(rng: Generator) -> Sample:
    """A hair crack that hardly shows among the streaks, which it follows."""
    shape = (320, 340)
    line = crack(rng, shape, (70, 150), 0.1, 150, 1.6, branches=1)
    return tile_sample(rng, shape, 90, (4, 6), [Damage(line, 0.25)])


def draw_wide(rng: Generator) -> Sample:
    """A tile larger than the network's input: a crack on the left, a blowhole on the right."""
    shape = (300, 620)
    line = crack(rng, shape, (90, 140), 0.5, 140, 3.0, branches=1)
    pit = blowhole(rng, shape, (120, 480), 6.5, 0.75)
    return tile_sample(rng, shape, 115, (7, 5), [Damage(line, 0.65, 0.9), Damage(pit, 0.6, 0.8)])


def draw_concrete_crack(rng: Generator) -> Sample:
    """A crack from border to border of a concrete patch."""
    line = crack(rng, (256, 256), (-3, 95), 0.35, 420, 4.0, branches=1)
    return concrete_sample(rng, (186, 181, 172), 25, [Damage(line, 0.72, 0.3)])


def draw_concrete_intact(rng: Generator) -> Sample:
    """A concrete patch with pores only."""
    return concrete_sample(rng, (192, 184, 170), 40, [])


SAMPLES: dict[str, Callable[[Generator], Sample]] = {
    "1-blowhole": draw_blowhole,
    "2-crack": draw_crack,
    "3-several": draw_several,
    "4-intact": draw_intact,
    "5-faint": draw_faint,
    "6-wide": draw_wide,
    "7-concrete-crack": draw_concrete_crack,
    "8-concrete-intact": draw_concrete_intact,
}


def draw(name: str, seed: int = 0) -> Sample:
    """The sample of that name; each has a random stream of its own."""
    return SAMPLES[name](np.random.default_rng([seed, list(SAMPLES).index(name)]))


def main(out: Path, seed: int = 0) -> None:
    """Writes every sample and its mask below `out`."""
    (out / "truth").mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        sample = draw(name, seed)
        Image.fromarray(sample.picture).save(out / f"{name}.png", optimize=True)
        mask = sample.mask.astype(np.uint8) * 255
        Image.fromarray(mask).save(out / "truth" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m training.draw_samples", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=Path("assets/samples"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    main(args.out, args.seed)
