"""Made images of two shapes, with a caption: 'a red square left of a blue circle'.

A class is a caption, so that labels are captions and class names say them. A tenth of the captions is held out: their
images are the test split, and no training image has one.
"""

import itertools
from functools import cache

import numpy as np

from adversaria.data.splits import generator

SIDE = 16
COLOURS = {"red": (220, 50, 50), "green": (60, 200, 80), "blue": (70, 90, 240), "yellow": (230, 210, 60)}
SHAPES = ("square", "circle", "triangle")
RELATIONS = ("left of", "above")
SIZES = (5, 6)
HELD_OUT = 0.1
_SEED = 20_260_101
_THINGS = [(colour, shape) for colour in COLOURS for shape in SHAPES]
PARTS = list(itertools.product(range(len(_THINGS)), range(len(RELATIONS)), range(len(_THINGS))))
"""Of each caption, the first thing, the relation and the second thing."""
CAPTIONS = tuple(
    f"a {' '.join(_THINGS[a])} {RELATIONS[r]} a {' '.join(_THINGS[b])}" for a, r, b in PARTS
)  # fmt: skip


def mask(shape: str, size: int) -> np.ndarray:
    """Which pixels of a square of `size` a shape covers, bool."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    if shape == "square":
        return np.ones((size, size), bool)
    if shape == "circle":
        inside: np.ndarray = x**2 + y**2 <= (size / 2) ** 2
        return inside
    slope: np.ndarray = np.abs(x) <= (y + size / 2) / 2 + 0.3
    return slope


def draw(captions: np.ndarray, seed: int) -> np.ndarray:
    """An image, uint8 (n, SIDE, SIDE, 3), for each number of a caption; places, sizes and shades vary."""
    random = generator(_SEED, seed)
    images = np.zeros((len(captions), SIDE, SIDE, 3), np.uint8)
    half, shake = SIDE // 2, random.integers(-1, 2, (len(captions), 2, 2))
    sizes, shades = random.choice(SIZES, (len(captions), 2)), random.uniform(0.8, 1.0, (len(captions), 2))
    for i, caption in enumerate(captions):
        first, relation, second = PARTS[caption]
        for k, thing in enumerate((first, second)):
            colour, shape = _THINGS[thing]
            size = sizes[i, k]
            along, across = (half // 2 + half * k, half)
            y, x = (across, along) if RELATIONS[relation] == "left of" else (along, across)
            top, left = (int(c - size // 2 + d) for c, d in zip((y, x), shake[i, k], strict=True))
            top, left = (min(max(c, 0), SIDE - size) for c in (top, left))
            place = images[i, top : top + size, left : left + size]
            place[mask(shape, size)] = (np.array(COLOURS[colour]) * shades[i, k]).astype(np.uint8)
    return images


def split() -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the captions that training images have, and of those held out."""
    order = generator(_SEED).permutation(len(CAPTIONS))
    held = round(HELD_OUT * len(CAPTIONS))
    return np.sort(order[held:]), np.sort(order[:held])


def shapes(sizes: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Images and captions of the splits, one after the other."""
    seen, held = split()
    labels = [
        generator(_SEED, 100 + k).choice(held if name == "test" else seen, n)
        for k, (name, n) in enumerate(sizes.items())
    ]
    return np.concatenate([draw(part, k) for k, part in enumerate(labels)]), np.concatenate(labels)


def read(images: np.ndarray) -> np.ndarray:
    """The caption of each image, uint8 (n, SIDE, SIDE, 3), as its pixels tell; -1 where there aren't two things.

    The relation is the axis along which bright pixels spread; each half holds a thing, whose colour is the nearest to
    its pixels' mean and whose shape has the largest overlap with them, over places and sizes.
    """
    number = {parts: k for k, parts in enumerate(PARTS)}
    found = []
    for image in images.astype(float):
        bright = image.max(2) > 70
        y, x = np.nonzero(bright)
        if len(x) < 10:
            found.append(-1)
            continue
        relation = 0 if x.var() >= y.var() else 1
        sides = [bright.copy(), bright.copy()]
        half = SIDE // 2
        for k, side in enumerate(sides):
            hidden = slice(half, None) if k == 0 else slice(None, half)
            side[(slice(None), hidden) if relation == 0 else hidden] = False
        things = [_thing(image, side) for side in sides]
        found.append(-1 if None in things else number[(things[0], relation, things[1])])  # type: ignore[index]
    return np.array(found)


@cache
def _templates() -> tuple[list[str], np.ndarray]:
    """Shapes, and the pixels that each covers at every size and place, float32 (templates, SIDE SIDE)."""
    made = [
        (shape, np.pad(mask(shape, size), ((top, SIDE - size - top), (left, SIDE - size - left))))
        for shape in SHAPES for size in SIZES for top in range(SIDE - size + 1) for left in range(SIDE - size + 1)
    ]  # fmt: skip
    return [shape for shape, _ in made], np.stack([covered.ravel() for _, covered in made]).astype(np.float32)


def _thing(image: np.ndarray, bright: np.ndarray) -> int | None:
    if bright.sum() < 5:
        return None
    mean = image[bright].mean(0)
    palette = np.array(list(COLOURS.values()), float)
    angle = (palette / np.linalg.norm(palette, axis=1, keepdims=True)) @ (mean / np.linalg.norm(mean))
    names, templates = _templates()
    both = templates @ bright.ravel().astype(np.float32)
    overlap = both / (templates.sum(1) + bright.sum() - both)
    shape = names[int(overlap.argmax())]
    return _THINGS.index((list(COLOURS)[int(angle.argmax())], shape))
