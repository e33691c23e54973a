"""Pictures of a run folder as data URIs of bounded size."""

import base64
import io
import warnings
from pathlib import Path

from PIL import Image

from adversaria.report.markup import Html, tag

MOST_PIXELS = 1600
"""Longest side a picture keeps."""


def picture(path: Path, caption: str, most: int = 300_000, class_: str | None = None) -> Html | None:
    """A figure with a PNG of the run folder, in at most `most` bytes; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        content, (width, height) = shrink(path, most)
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        broken = tag("p", f"{path.name} can't be shown: {type(error).__name__}", class_="missing")
        return tag("figure", broken, tag("figcaption", caption), class_=class_)
    image = tag("img", src=uri(content, "image/webp"), alt=caption, width=width, height=height)
    return tag("figure", image, tag("figcaption", caption), class_=class_)


def shrink(path: Path, most: int) -> tuple[bytes, tuple[int, int]]:
    """A PNG as WebP, lossless where that fits into `most` bytes, otherwise lossy and then smaller.

    Raises:
        OSError: where the file is no PNG; ValueError, SyntaxError, Warning: where it is a damaged or monstrous one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=["PNG"]) as opened:
            rgba = opened.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    image.thumbnail((MOST_PIXELS, MOST_PIXELS))
    content = _webp(image, lossless=True)
    quality = 85
    while len(content) > most and min(image.size) > 1:
        content = _webp(image, quality=quality)
        if len(content) > most and quality <= 65:
            image = image.resize((max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)))
        quality = max(65, quality - 10)
    return content, image.size


def _webp(image: Image.Image, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", **options)
    return stream.getvalue()


def uri(content: bytes, kind: str) -> str:
    """A data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
