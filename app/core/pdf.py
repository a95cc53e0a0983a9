"""PDF pages with fonts of our own, so that every European name can be printed; the same input gives the same bytes."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

FONTS: Final = Path(__file__).parent / "fonts"
REGULAR: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
A4: Final = (595.28, 841.89)  # points, 1/72 inch


def new_canvas(title: str) -> "tuple[Canvas, BytesIO]":
    """An empty A4 document in our fonts, and where it will be when it is saved."""
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415  takes half a second, and few processes print

    _register_fonts()
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(title)
    canvas.setAuthor("LifeVault")
    canvas.setFont(REGULAR, 10)
    return canvas, buffer


@cache
def _register_fonts() -> None:
    from reportlab.pdfbase.pdfmetrics import registerFont  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415

    for name in (REGULAR, BOLD):
        registerFont(TTFont(name, str(FONTS / f"{name}.ttf")))
