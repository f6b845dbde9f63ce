"""Draws the app's sample pictures, damaged and intact, with the exact masks of what was drawn.

    python -m training.data.draw_samples --out assets/samples --seed 0

Nothing is copied from a data set: metal, concrete, cracks and blowholes are all made of noise.
Writes <name>.png and truth/<name>.png (255 = damage) for each entry of SAMPLES, and samples.json
with the domain that each is for.
"""

import argparse
import json
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
class Crack:
    """A crack to draw. heading: 0 runs down, positive to the right, in radians."""

    start: Point
    heading: float
    length: float
    width: float = 3.0
    branches: int = 0
    depth: float = 0.85
    """Share of the light that it takes."""


@dataclass(frozen=True)
class Blowhole:
    """A blowhole to draw. flatness: ratio of its axes."""

    centre: Point
    radius: float
    flatness: float = 0.7
    depth: float = 0.6
    """Share of the light that it takes."""


@dataclass(frozen=True)
class Scene:
    """What a sample shows: a metal tile if it has one colour channel, concrete if it has three."""

    shape: tuple[int, int]
    colour: tuple[int, ...]
    damages: tuple[Crack | Blowhole, ...] = ()


SAMPLES = {
    "1-blowhole": Scene((300, 330), (95,), (Blowhole((178, 205), 8),)),
    "2-crack": Scene((350, 300), (100,), (Crack((-2, 120), 0.2, 190, 4.0, branches=2),)),
    "3-several": Scene(
        (340, 420),
        (110,),
        (
            Crack((120, 120), -0.1, 140, 3.4, branches=1),
            Blowhole((95, 300), 6, 0.8, depth=0.55),
            Blowhole((240, 315), 8, 0.65),
        ),
    ),
    "4-intact": Scene((340, 320), (95,)),
    # A hair crack that hardly shows among the streaks: a case that is hard on purpose.
    "5-faint": Scene((320, 340), (90,), (Crack((70, 150), 0.1, 150, 1.9, depth=0.38),)),
    # Wider than the network's input, with damage near both ends.
    "6-wide": Scene(
        (300, 620),
        (115,),
        (Crack((110, 130), 0.4, 140, 3.2, branches=1), Blowhole((100, 490), 7.5, 0.75)),
    ),
    "7-concrete-crack": Scene(
        (256, 256), (186, 181, 172), (Crack((-3, 80), 0.4, 420, 3.2, branches=1, depth=0.75),)
    ),
    "8-concrete-intact": Scene((256, 256), (192, 184, 170)),
}


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


def brushed_metal(rng: Generator, shape: tuple[int, int]) -> Field:
    """Factors of a ground tile around 1: vertical streaks, glints, uneven light, smudges."""
    light = 0.09 * noise(rng, shape, (90, 60)) + 0.04 * noise(rng, shape, (25, 20))
    bands = 0.03 * noise(rng, shape, (150, 12)) + 0.03 * noise(rng, shape, (110, 3))
    streaks = 0.06 * noise(rng, shape, (70, 0.7)) + 0.05 * noise(rng, shape, (14, 0.5))
    grain = 0.05 * noise(rng, shape, (1.6, 0.5)) + 0.02 * noise(rng, shape, (2.5, 2))
    # Single ridges catch the light; more of them where the surface is ground more coarsely.
    coarse = np.clip(0.75 + 0.35 * noise(rng, shape, (60, 30)), 0.35, 1.5)
    glints = 0.16 * coarse**2 * np.clip(noise(rng, shape, (55, 0.55)) - 1.5, 0, None)
    glints *= np.clip(1 + 0.5 * noise(rng, shape, (2, 0.5)), 0, None)
    metal = np.clip(1 + light + bands + coarse * (streaks + grain) + glints, 0.2, None)
    return metal * smudges(rng, shape, 5)


def smudges(rng: Generator, shape: tuple[int, int], count: int) -> Field:
    """Factors near 1 that draw short faint strokes, as on tiles that count as intact."""
    total = np.zeros(shape)
    for _ in range(count):
        start = (rng.uniform(0.15, 0.85) * shape[0], rng.uniform(0.1, 0.9) * shape[1])
        stroke = crack(rng, shape, Crack(start, rng.uniform(-1.4, 1.4), rng.uniform(15, 50), 2.5))
        total += rng.uniform(-0.25, 0.3) * gaussian_filter(stroke, 1.8)
    return 1 - 0.5 * total * np.clip(1 + 0.6 * noise(rng, shape, (3, 1.5)), 0, None)


def side_frame(rng: Generator, shape: tuple[int, int]) -> Field:
    """Factors of a tile's rounded sides: dark background, a bright line, then a soft shade."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    factors = np.ones(shape)
    for inward in (columns, shape[1] - 1 - columns):
        slant = rng.uniform(-3, 3) * (rows / shape[0] - 0.5)
        distance = inward - rng.uniform(2, 7) - slant
        tile = 1 / (1 + np.exp(np.clip(-distance / 0.7, None, 50)))
        shade = 1 - 0.45 * np.exp(-np.clip(distance, 0, None) / rng.uniform(15, 40))
        gleam = np.exp(-(((distance - rng.uniform(5, 9)) / 3.0) ** 2))
        gleam *= 0.45 * np.clip(0.5 + 0.6 * noise(rng, shape, (25, 0.8)), 0, None)
        factors *= (0.12 + 0.88 * tile) * (shade + gleam)
    return factors


def concrete(rng: Generator, shape: tuple[int, int]) -> Field:
    """Factors of cast concrete around 1: clouds, sand, and small dark pores."""
    clouds = 0.035 * noise(rng, shape, (40, 50)) + 0.018 * noise(rng, shape, (10, 14))
    sand = 0.018 * noise(rng, shape, (2.2, 2.2)) + 0.03 * noise(rng, shape, (0.8, 0.8))
    specks = 0.08 * np.clip(noise(rng, shape, (1.2, 1.2)) - 1.8, 0, None)
    clusters = 2.6 + 0.3 * noise(rng, shape, (25, 25))
    pores = 0.4 * np.clip(3 * (noise(rng, shape, (1.5, 1.7)) - clusters), 0, 1)
    # The low sun's light: grains are brighter on the side that faces it.
    relief = 0.02 * noise(rng, shape, (1.4, 1.4))
    return (1 + clouds + sand - specks + relief - np.roll(relief, (2, 2), (0, 1))) * (1 - pores)


# Damage


def crack(rng: Generator, shape: tuple[int, int], spec: Crack) -> Field:
    """Coverage of a crack: a random walk of varying width that tapers out, with side branches."""
    path = crack_path(rng, spec)
    left = np.arange(len(path), 0, -1) / len(path)
    swell = 0.22 * noise(rng, (len(path), 1), (16, 0)) + 0.14 * noise(rng, (len(path), 1), (2.5, 0))
    thickness = spec.width * np.exp(swell[:, 0]) * np.minimum(1, left / 0.4) ** 0.7
    canvas = new_canvas(shape)
    for (row, column), size in zip(path, thickness, strict=True):
        # OpenCV's fixed point: 4 fractional bits.
        centre = [round((v + 0.5) * OVERSAMPLING * 16) for v in (column, row)]
        cv2.circle(canvas, centre, round(size / 2 * OVERSAMPLING * 16), 255, -1, cv2.LINE_8, 4)
    coverage = shrink(canvas)
    for _ in range(spec.branches):
        row, column = path[int(rng.uniform(0.2, 0.75) * len(path))]
        turned = spec.heading + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9)
        length = spec.length * rng.uniform(0.15, 0.3)
        branch = crack(rng, shape, Crack((row, column), turned, length, 0.6 * spec.width))
        coverage = np.maximum(coverage, branch)
    return coverage


def crack_path(rng: Generator, spec: Crack) -> Field:
    """Points (row, column), half a pixel apart, of a walk that kinks but keeps to its heading."""
    steps = max(int(2 * spec.length), 2)
    kinks = rng.normal(0, 0.6, steps) * (rng.random(steps) < 0.2)
    angle, angles = 0.0, np.empty(steps)
    for i in range(steps):
        angle = 0.88 * angle + kinks[i]
        angles[i] = spec.heading + angle
    # Long bends on top of the kinks.
    angles += 0.2 * noise(rng, (steps, 1), (40, 0))[:, 0]
    moves = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(spec.start) + gaussian_filter1d(np.cumsum(moves, axis=0), 0.7, axis=0)


def blowhole(rng: Generator, shape: tuple[int, int], spec: Blowhole) -> Field:
    """Coverage of a blowhole: an ellipse whose outline waves a little."""
    theta = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = np.full(theta.shape, float(spec.radius))
    for k in (2, 3, 4, 5):
        outline *= 1 + rng.normal(0, 0.2 / k) * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
    tilt = rng.normal(0, 0.35)
    along, across = outline * np.cos(theta), outline * np.sin(theta) * spec.flatness
    rows = spec.centre[0] + along * np.cos(tilt) - across * np.sin(tilt)
    columns = spec.centre[1] + along * np.sin(tilt) + across * np.cos(tilt)
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
    return 0.75 * gaussian_filter(coverage, 0.5) + 0.25 * gaussian_filter(coverage, 1.3)


def engrave(rng: Generator, surface: Field, coverage: Field, depth: float) -> Field:
    """The surface with the damage in it: unevenly dark inside, a little brighter just outside."""
    dark = soften(coverage)
    uneven = np.clip(0.92 + 0.12 * noise(rng, surface.shape, (3, 2)), 0.5, 1.1)
    rim = np.clip(gaussian_filter(coverage, 2.2) - dark, 0, None)
    rim *= depth * np.clip(0.7 + 0.5 * noise(rng, surface.shape, (4, 4)), 0, None)
    return surface * (1 - depth * dark * uneven) * (1 + rim)


# Pictures


def draw(name: str, seed: int = 0) -> Sample:
    """The sample of that name; each has a random stream of its own."""
    rng = np.random.default_rng([seed, list(SAMPLES).index(name)])
    scene = SAMPLES[name]
    shape, metal = scene.shape, len(scene.colour) == 1
    surface = brushed_metal(rng, shape) if metal else concrete(rng, shape)
    mask = np.zeros(shape, bool)
    for damage in scene.damages:
        if isinstance(damage, Crack):
            coverage = crack(rng, shape, damage)
        else:
            coverage = blowhole(rng, shape, damage)
        surface = engrave(rng, surface, coverage, damage.depth)
        mask |= soften(coverage) >= VISIBLE
    if metal:
        surface *= side_frame(rng, shape)
    return Sample(photograph(rng, surface, scene.colour), mask)


def photograph(rng: Generator, surface: Field, colour: tuple[int, ...]) -> NDArray[np.uint8]:
    """The surface in 8 bits, as a sensor with a little noise records it."""
    if len(colour) == 1:
        picture = colour[0] * surface + rng.normal(0, 2.6, surface.shape)
    else:
        # Warmer and colder patches, then each channel's own noise.
        tint = 0.012 * noise(rng, surface.shape, (30, 30))
        channels = [c * surface * (1 + k * tint) for c, k in zip(colour, (1, 0, -1), strict=True)]
        picture = np.stack(channels, axis=2) + rng.normal(0, 1, (*surface.shape, 3))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def main(out: Path, seed: int = 0) -> None:
    """Writes every sample and its mask below `out`."""
    (out / "truth").mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        sample = draw(name, seed)
        Image.fromarray(sample.picture).save(out / f"{name}.png", optimize=True)
        mask = Image.fromarray(sample.mask.astype(np.uint8) * 255)
        mask.save(out / "truth" / f"{name}.png", optimize=True)
    domains = {
        name: "magnetic-tile" if len(scene.colour) == 1 else "concrete-crack"
        for name, scene in SAMPLES.items()
    }
    (out / "samples.json").write_text(json.dumps(domains, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m training.data.draw_samples", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=Path("assets/samples"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    main(args.out, args.seed)
