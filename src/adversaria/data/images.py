"""One image file in, pixels out: decoded, turned upright, flattened on white, cropped and resized."""

import io
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from adversaria.data.files import Unreadable

Crop = Literal["centre", "none"]
Size = tuple[int, int]
"""Height and width."""

PIXELS = 64 * 1000**2
"""More pixels than this are not decoded."""
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations in which height and width change places."""


def opened(data: bytes) -> Image.Image:
    """The image, its header read and its pixels not; only formats that Pillow decodes in-process are tried.

    Raises Unreadable where it is no such image or has over 64 million pixels.
    """
    if not data:
        raise Unreadable("0 bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise Unreadable("no image, or one cut short") from error
    except Exception as error:
        raise Unreadable(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if image.width * image.height > PIXELS:
        raise Unreadable(f"{image.width} x {image.height} pixels, over the limit of 64 million")
    return image


def is_grey(image: Image.Image) -> bool:
    """Whether the image is without colour, judged by its header."""
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


LOSSY = "JPEG-coded: no likelihood of them compares with one of the pixels as they were before"
"""Said of images whose coding has changed them."""


def decode(data: bytes, size: Size | None, crop: Crop, channels: int | None) -> tuple[np.ndarray, set[str]]:
    """Pixels, uint8 (H, W, 1 or 3), and what had to be done to them beyond cropping and resizing.

    Raises Unreadable, whatever the file holds.
    """
    image = opened(data)
    try:
        return _pixels(image, size, crop, channels)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(str(error).splitlines()[0] if str(error) else type(error).__name__) from error


def _pixels(image: Image.Image, size: Size | None, crop: Crop, channels: int | None) -> tuple[np.ndarray, set[str]]:
    traits = {LOSSY} if image.format in ("JPEG", "MPO") else set()
    if image.format != "MPO" and getattr(image, "is_animated", False):
        traits.add("animated, of which the first frame is used")
    sideways = orientation(image) in SIDEWAYS
    if size is not None:
        height, width = size[::-1] if sideways else size
        if image.size != (width, height):
            cut = (
                "cropped around the centre and "
                if crop == "centre" and image.width * height != image.height * width
                else ""
            )
            traits.add(f"{cut}resized to {size[0]} x {size[1]} with the Lanczos filter")
        image.draft(None, (2 * width, 2 * height))
    turned = orientation(image) != 1
    image.load()
    if turned:
        image = ImageOps.exif_transpose(image)
        traits.add("turned upright as their EXIF orientation says")
    image = _flat(image, traits)
    wanted = {None: image.mode, 1: "L", 3: "RGB"}[channels]
    if image.mode != wanted:
        image = image.convert(wanted)
        traits.add("colour, converted to grey" if channels == 1 else "grey, repeated in three channels")
    if size is not None:
        image = fit(image, size, crop)
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1), traits


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, upright, where there is none or it makes no sense."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1
    return found if found in range(1, 9) else 1


def _flat(image: Image.Image, traits: set[str]) -> Image.Image:
    """The image as L or RGB: 16 bits to 8, transparency on white, CMYK and the rest to RGB."""
    if image.mode == "F":
        raise Unreadable("32-bit float pixels; save these as .npy")
    if image.mode.startswith("I"):
        traits.add("16-bit, reduced to 8 bits")
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray(np.clip((wide + 128) // 257, 0, 255).astype(np.uint8), "L")
    if image.has_transparency_data:
        traits.add("transparent, laid on white")
        grey = is_grey(image)
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "CMYK":
        traits.add("CMYK, converted to RGB")
    return image.convert("L" if is_grey(image) else "RGB")


def fit(image: Image.Image, size: Size, crop: Crop) -> Image.Image:
    """Crops around the centre to the proportions of `size`, if asked, then resizes (Lanczos, antialiased)."""
    height, width = size
    box = (0.0, 0.0, float(image.width), float(image.height))
    if crop == "centre":
        scale = min(image.width / width, image.height / height)
        left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
        box = (left, top, left + scale * width, top + scale * height)
    if image.size == (width, height) and box == (0.0, 0.0, float(width), float(height)):
        return image
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)
