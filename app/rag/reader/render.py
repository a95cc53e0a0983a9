"""A page as a picture: pixels alone come out, so nothing that a file says beside them can come along."""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from app.core.sniff import PDF
from app.rag.reader.errors import Unreadable

FORMATS: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
}
MOST_PIXELS: Final = 6_000_000
"""Of the picture that comes out."""
MOST_SOURCE_PIXELS: Final = 120_000_000
BYTES_PER_PIXEL: Final = 3


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of RGB from the top."""

    width: int
    height: int
    pixels: bytes


def render(content: bytes, media_type: str, page: int, width: int) -> Picture:
    """A page (from 1) of a PDF or a picture, `width` pixels wide; a smaller picture stays as small.

    Raises `Unreadable`.
    """
    if media_type == PDF:
        return _finished(_pdf_page(content, page, width))
    if media_type not in FORMATS:
        raise Unreadable("unsupported")
    return _finished(_photo(content, FORMATS[media_type], page, width))


def _finished(image: Image.Image) -> Picture:
    return Picture(image.width, image.height, image.tobytes())


def _pdf_page(content: bytes, number: int, width: int) -> Image.Image:
    from app.rag.reader.pdf import open_page, open_pdf  # noqa: PLC0415  a photo should not pay for the start of pdfium

    document = open_pdf(content)
    if number > len(document):
        raise Unreadable("no_page")
    page = open_page(document, number - 1)
    points, height = page.get_size()
    scale = min(width / max(points, 1), (MOST_PIXELS / max(points * height, 1)) ** 0.5)
    image: Image.Image = page.render(scale=scale).to_pil()
    return image.convert("RGB")


def _photo(content: bytes, kind: str, number: int, width: int) -> Image.Image:
    """As it is meant to be seen: turned as EXIF says, on white where it is transparent."""
    Image.MAX_IMAGE_PIXELS = MOST_SOURCE_PIXELS // 2  # twice as many are an error
    try:
        file = Image.open(io.BytesIO(content), formats=[kind])
        if number > (getattr(file, "n_frames", 1) if kind == "TIFF" else 1):
            raise Unreadable("no_page")
        file.seek(number - 1)
        file.draft("RGB", (2 * width, 2 * width))  # a JPEG is made smaller while it is unpacked
        image = _on_white(ImageOps.exif_transpose(file))
    except Image.DecompressionBombError:
        raise Unreadable("out_of_memory") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Unreadable("damaged") from error
    scale = min(width / image.width, 1.0, (MOST_PIXELS / (image.width * image.height)) ** 0.5)
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "F"):  # greys of more than eight bits, as scanners make
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
