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
from scipy import fft
from scipy.ndimage import gaussian_filter, gaussian_filter1d

Field = NDArray[np.float64]
"""A value per pixel: brightness in grey levels or as a factor, or the share that damage covers."""
Point = tuple[float, float]
"""Row and column."""

OVERSAMPLING = 4
"""Shapes are drawn this many times larger, then averaged, for smooth outlines."""
VISIBLE = 0.3
"""Share of full darkness from which a pixel belongs to the mask."""


@dataclass(frozen=True)
class Sample:
    """A picture (grey or RGB, 8 bit) and the mask of the damage in it."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Damage:
    """A defect: the share of each pixel that it covers, and the share of light that it takes."""

    coverage: Field
    depth: float


# Surfaces


def noise(rng: Generator, shape: tuple[int, int], sigma: Point) -> Field:
    """Gaussian noise, smoothed by sigma (down, across), of mean 0 and deviation 1."""
    # Drawn with a margin, because the transform's result repeats itself at the borders.
    size = [fft.next_fast_len(n + int(3 * s), real=True) for n, s in zip(shape, sigma, strict=True)]
    down, across = np.ix_(fft.fftfreq(size[0]), fft.rfftfreq(size[1]))
    blur = np.exp(-2 * np.pi**2 * ((down * sigma[0]) ** 2 + (across * sigma[1]) ** 2))
    blur[0, 0] = 0
    field = fft.irfft2(fft.rfft2(rng.standard_normal(size)) * blur, size)
    return (field / field.std())[: shape[0], : shape[1]]


def brushed_metal(rng: Generator, shape: tuple[int, int], level: float) -> Field:
    """A ground tile of mean brightness `level`: vertical streaks, glints, stains, uneven light."""
    light = 0.09 * noise(rng, shape, (90, 60)) + 0.04 * noise(rng, shape, (25, 20))
    bands = 0.03 * noise(rng, shape, (150, 12)) + 0.03 * noise(rng, shape, (110, 3))
    streaks = 0.06 * noise(rng, shape, (70, 0.7)) + 0.05 * noise(rng, shape, (14, 0.5))
    grain = 0.05 * noise(rng, shape, (1.6, 0.5)) + 0.02 * noise(rng, shape, (2.5, 2))
    # Single ridges catch the light; more of them where the surface is ground more coarsely.
    coarse = np.clip(0.75 + 0.35 * noise(rng, shape, (60, 30)), 0.35, 1.5)
    glints = 0.16 * coarse**2 * np.clip(noise(rng, shape, (55, 0.55)) - 1.5, 0, None)
    glints *= np.clip(1 + 0.5 * noise(rng, shape, (2, 0.5)), 0, None)
    return level * np.clip(1 + light + bands + coarse * (streaks + grain) + glints, 0.2, None)


def scuffs(rng: Generator, shape: tuple[int, int], count: int) -> Field:
    """Factors near 1 that draw `count` short faint smudges, as on tiles that count as intact."""
    total = np.zeros(shape)
    for _ in range(count):
        start = (rng.uniform(0.15, 0.85) * shape[0], rng.uniform(0.1, 0.9) * shape[1])
        stroke = crack(rng, shape, start, rng.uniform(-1.4, 1.4), rng.uniform(15, 50), 2.5)
        total += rng.uniform(-0.25, 0.3) * gaussian_filter(stroke, 1.8)
    return 1 - 0.5 * total * np.clip(1 + 0.6 * noise(rng, shape, (3, 1.5)), 0, None)


def side_frame(rng: Generator, shape: tuple[int, int], left: float, right: float) -> Field:
    """Factors that darken the background left and right of a tile and its rounded edges.

    left, right: width of the background in pixels; a bright line runs inside each edge.
    """
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    factors = np.ones(shape)
    for margin, inward in ((left, columns), (right, shape[1] - 1 - columns)):
        slant = rng.uniform(-3, 3) * (rows / shape[0] - 0.5)
        distance = inward - margin - slant
        tile = 1 / (1 + np.exp(np.clip(-distance / 0.7, None, 50)))
        shade = 1 - 0.45 * np.exp(-np.clip(distance, 0, None) / rng.uniform(15, 40))
        gleam = np.exp(-(((distance - rng.uniform(5, 9)) / 3.0) ** 2))
        gleam *= 0.45 * np.clip(0.5 + 0.6 * noise(rng, shape, (25, 0.8)), 0, None)
        factors *= (0.12 + 0.88 * tile) * (shade + gleam)
    return factors


def concrete(rng: Generator, shape: tuple[int, int], porosity: float) -> Field:
    """Factors of cast concrete around 1: clouds, sand, and small dark pores (porosity 0 to 1)."""
    clouds = 0.035 * noise(rng, shape, (40, 50)) + 0.018 * noise(rng, shape, (10, 14))
    sand = 0.018 * noise(rng, shape, (2.2, 2.2)) + 0.03 * noise(rng, shape, (0.8, 0.8))
    specks = 0.08 * np.clip(noise(rng, shape, (1.2, 1.2)) - 1.8, 0, None)
    clusters = 3.1 - porosity + 0.3 * noise(rng, shape, (25, 25))
    pores = 0.4 * np.clip(3 * (noise(rng, shape, (1.5, 1.7)) - clusters), 0, 1)
    # The low sun's light: grains are brighter on the side that faces it.
    relief = 0.02 * noise(rng, shape, (1.4, 1.4))
    return (1 + clouds + sand - specks + relief - np.roll(relief, (2, 2), (0, 1))) * (1 - pores)


# Damage


def crack(
    rng: Generator,
    shape: tuple[int, int],
    start: Point,
    heading: float,
    length: float,
    width: float,
    branches: int = 0,
) -> Field:
    """Coverage of a crack: a random walk of varying width that tapers out, with side branches.

    heading: 0 runs down, positive to the right, in radians.
    """
    path = crack_path(rng, start, heading, length)
    left = np.arange(len(path), 0, -1) / len(path)
    swell = 0.28 * noise(rng, (len(path), 1), (16, 0)) + 0.2 * noise(rng, (len(path), 1), (2.5, 0))
    thickness = width * np.exp(swell[:, 0]) * np.minimum(1, left / 0.4) ** 0.7
    canvas = new_canvas(shape)
    for (row, column), size in zip(path, thickness, strict=True):
        # OpenCV's fixed point: 4 fractional bits.
        centre = [round((v + 0.5) * OVERSAMPLING * 16) for v in (column, row)]
        cv2.circle(canvas, centre, round(size / 2 * OVERSAMPLING * 16), 255, -1, cv2.LINE_8, 4)
    coverage = shrink(canvas)
    for _ in range(branches):
        row, column = path[int(rng.uniform(0.2, 0.75) * len(path))]
        turned = heading + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9)
        reach = length * rng.uniform(0.15, 0.3)
        branch = crack(rng, shape, (row, column), turned, reach, 0.6 * width)
        coverage = np.maximum(coverage, branch)
    return coverage


def crack_path(rng: Generator, start: Point, heading: float, length: float) -> Field:
    """Points (row, column), half a pixel apart, of a walk that kinks but keeps to its heading."""
    steps = max(int(2 * length), 2)
    kinks = rng.normal(0, 0.65, steps) * (rng.random(steps) < 0.2)
    angle, angles = 0.0, np.empty(steps)
    for i in range(steps):
        angle = 0.9 * angle + kinks[i]
        angles[i] = heading + angle
    # Long bends on top of the kinks.
    angles += 0.25 * noise(rng, (steps, 1), (40, 0))[:, 0]
    moves = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(start) + gaussian_filter1d(np.cumsum(moves, axis=0), 0.7, axis=0)


def blowhole(
    rng: Generator, shape: tuple[int, int], centre: Point, radius: float, flatness: float
) -> Field:
    """Coverage of a pit: an ellipse (axes' ratio `flatness`) whose outline waves a little."""
    theta = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = np.full(theta.shape, float(radius))
    for k in (2, 3, 4, 5):
        outline *= 1 + rng.normal(0, 0.2 / k) * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
    tilt = rng.normal(0, 0.35)
    along, across = outline * np.cos(theta), outline * np.sin(theta) * flatness
    rows = centre[0] + along * np.cos(tilt) - across * np.sin(tilt)
    columns = centre[1] + along * np.sin(tilt) + across * np.cos(tilt)
    canvas = new_canvas(shape)
    corners = (np.stack([columns, rows], axis=1) + 0.5) * OVERSAMPLING
    cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 255)
    return shrink(canvas)


def new_canvas(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """An empty oversampled canvas for a picture of that shape."""
    return np.zeros((shape[0] * OVERSAMPLING, shape[1] * OVERSAMPLING), np.uint8)


def shrink(canvas: NDArray[np.uint8]) -> Field:
    """Share of each pixel that is set on an oversampled canvas."""
    size = (canvas.shape[1] // OVERSAMPLING, canvas.shape[0] // OVERSAMPLING)
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(float) / 255


def soften(coverage: Field) -> Field:
    """Darkness of damage: its edges slope down into the surface."""
    return 0.55 * gaussian_filter(coverage, 0.5) + 0.45 * gaussian_filter(coverage, 1.3)


def engrave(rng: Generator, surface: Field, damage: Damage) -> Field:
    """The surface with the damage in it: unevenly dark inside, a little brighter just outside."""
    dark = soften(damage.coverage)
    uneven = np.clip(0.88 + 0.16 * noise(rng, surface.shape, (3, 2)), 0.5, 1.1)
    rim = np.clip(gaussian_filter(damage.coverage, 2.2) - dark, 0, None)
    rim *= damage.depth * np.clip(1 + noise(rng, surface.shape, (4, 4)), 0, None)
    return surface * (1 - damage.depth * dark * uneven) * (1 + rim)


# Pictures


def photograph(rng: Generator, scene: Field, sigma: float) -> NDArray[np.uint8]:
    """The scene in 8 bits, as a sensor with noise of deviation `sigma` records it."""
    return np.clip(np.rint(scene + rng.normal(0, sigma, scene.shape)), 0, 255).astype(np.uint8)


def mask_of(shape: tuple[int, int], damages: tuple[Damage, ...]) -> NDArray[np.bool_]:
    """Pixels that some damage visibly darkens."""
    return sum((soften(d.coverage) for d in damages), np.zeros(shape)) >= VISIBLE


def tile(
    rng: Generator, shape: tuple[int, int], level: float, sides: Point, *damages: Damage
) -> Sample:
    """A metal tile with some damage; level: brightness, sides: background left and right."""
    surface = brushed_metal(rng, shape, level) * scuffs(rng, shape, 5)
    for damage in damages:
        surface = engrave(rng, surface, damage)
    scene = surface * side_frame(rng, shape, *sides)
    return Sample(photograph(rng, scene, 1.8), mask_of(shape, damages))


def concrete_patch(
    rng: Generator, colour: tuple[int, int, int], porosity: float, *damages: Damage
) -> Sample:
    """A 256-pixel patch of concrete of a colour (RGB), with some damage."""
    shape = (256, 256)
    surface = concrete(rng, shape, porosity)
    for damage in damages:
        surface = engrave(rng, surface, damage)
    tint = 0.012 * noise(rng, shape, (30, 30))
    channels = [c * surface * (1 + k * tint) for c, k in zip(colour, (1, 0, -1), strict=True)]
    return Sample(photograph(rng, np.stack(channels, axis=2), 1.0), mask_of(shape, damages))


def one_blowhole(rng: Generator) -> Sample:
    """One blowhole off the middle of a tile."""
    shape = (300, 330)
    pit = Damage(blowhole(rng, shape, (178, 205), 8, 0.7), 0.6)
    return tile(rng, shape, 95, (6, 3), pit)


def one_crack(rng: Generator) -> Sample:
    """A branching crack from the upper border of a tile."""
    shape = (350, 300)
    line = Damage(crack(rng, shape, (-2, 120), 0.2, 190, 3.0, branches=2), 0.65)
    return tile(rng, shape, 100, (4, 5), line)


def several(rng: Generator) -> Sample:
    """A crack and two blowholes."""
    shape = (340, 420)
    line = Damage(crack(rng, shape, (150, 130), -0.3, 130, 3.0, branches=1), 0.65)
    small = Damage(blowhole(rng, shape, (95, 300), 6, 0.8), 0.55)
    large = Damage(blowhole(rng, shape, (240, 315), 8, 0.65), 0.6)
    return tile(rng, shape, 110, (5, 7), line, small, large)


def intact(rng: Generator) -> Sample:
    """A tile with streaks and scuffs, but no damage."""
    return tile(rng, (340, 320), 95, (5, 4))


def faint(rng: Generator) -> Sample:
    """A hair crack that hardly shows among the streaks."""
    shape = (320, 340)
    return tile(rng, shape, 90, (4, 6), Damage(crack(rng, shape, (70, 150), 0.1, 150, 1.8), 0.3))


def wide(rng: Generator) -> Sample:
    """A tile larger than the network's input: a crack on the left, a blowhole on the right."""
    shape = (300, 620)
    line = Damage(crack(rng, shape, (110, 130), 0.4, 140, 3.2, branches=1), 0.65)
    pit = Damage(blowhole(rng, shape, (100, 490), 7.5, 0.75), 0.6)
    return tile(rng, shape, 115, (7, 5), line, pit)


def concrete_crack(rng: Generator) -> Sample:
    """A crack from border to border of a concrete patch."""
    line = Damage(crack(rng, (256, 256), (-3, 80), 0.4, 420, 3.2, branches=1), 0.75)
    return concrete_patch(rng, (186, 181, 172), 0.4, line)


def concrete_intact(rng: Generator) -> Sample:
    """A concrete patch with pores only."""
    return concrete_patch(rng, (192, 184, 170), 0.6)


SAMPLES: dict[str, Callable[[Generator], Sample]] = {
    "1-blowhole": one_blowhole,
    "2-crack": one_crack,
    "3-several": several,
    "4-intact": intact,
    "5-faint": faint,
    "6-wide": wide,
    "7-concrete-crack": concrete_crack,
    "8-concrete-intact": concrete_intact,
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
        mask = Image.fromarray(sample.mask.astype(np.uint8) * 255)
        mask.save(out / "truth" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m training.draw_samples", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=Path("assets/samples"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    main(args.out, args.seed)
