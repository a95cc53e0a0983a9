"""Legacy sheets for the drawer: numbered words, a code to scan, and what to do with them, on one page of A4.

Rendering is a pure function: the same sheet gives the same bytes. Nothing of a sheet is kept by us; whoever renders it
hands it to its holder and forgets it.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

LEFT, TOP, WIDTH, PAGE_HEIGHT = 57.0, 785.0, 481.0, 842.0  # points on A4 with margins of 2 cm
LINE = 15.0
WORD_COLUMNS = 5
CODE_POINTS = 130.0
MOST_LETTERS = 40  # of a name
QUIET_ZONE = 4  # modules, ISO/IEC 18004
TITLE_SIZE, TEXT_SIZE, WORD_SIZE = 20, 10.5, 11


class Holder(StrEnum):
    """Whose sheet it is. The server's part is never printed."""

    OWNER = "owner"
    NOMINEE = "nominee"


class NotPrintable(Exception):
    """A name that the built-in typeface has no letters for; give a font file that has them."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that stands on one sheet. `words` is secret.

    `fingerprint` are the words of the owner's keys, by which the heirs of a sealed vault know that it is the owner's.
    """

    holder: Holder
    holder_name: str
    owner_name: str
    set_id: UUID
    made_on: date
    words: str
    nominees_needed: int
    nominees: int
    fingerprint: str = ""

    def __repr__(self) -> str:
        return f"Sheet({self.holder}, {self.set_id})"

    def numbered_words(self) -> list[str]:
        """The words as printed: `1 academic`."""
        return [f"{number} {word}" for number, word in enumerate(self.words.split(), 1)]

    def code(self) -> str:
        """What the code says: the words in capitals, which make a smaller code."""
        return self.words.upper()

    def instructions(self) -> list[str]:
        """What its holder must know, one paragraph each."""
        others = _sheets(self.nominees_needed, self.nominees)
        return [
            f"This sheet is one part of the key to what {_short(self.owner_name)} keeps in LifeVault. "
            "By itself it opens nothing.",
            *(_for_owner(others) if self.holder is Holder.OWNER else _for_nominee(_short(self.owner_name), others)),
            "Keep it on paper, dry and out of sight. Don't photograph it, don't type it anywhere before the day it is "
            "needed, and don't keep it together with another sheet of this set.",
            "On that day, type the words in their order, or scan the code, where LifeVault asks for the sheets. The "
            "first four letters of a word are enough; a mistyped word is found at once. The words are a SLIP-0039 "
            "share, so other programs that know this format open it too, without LifeVault.",
        ]


def sheet_pdf(sheet: Sheet, font: Path | None = None) -> bytes:
    """The sheet as PDF. `font` is a TrueType file, for names beyond Western Europe. Raises `NotPrintable`."""
    return sheets_pdf([sheet], font)


def sheets_pdf(sheets: Sequence[Sheet], font: Path | None = None) -> bytes:
    """Several sheets as PDF, a page for each; as `sheet_pdf`."""
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415 (0.1 s, only for who prints)

    faces = [_typeface(sheet, font) for sheet in sheets]
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, PAGE_HEIGHT), invariant=1)  # no time, no random id
    canvas.setTitle("Legacy sheet" if len(sheets) == 1 else "Legacy sheets")
    canvas.setAuthor("LifeVault")
    for sheet, (regular, bold) in zip(sheets, faces, strict=True):
        _draw(canvas, sheet, regular, bold)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _draw(canvas: "Canvas", sheet: Sheet, regular: str, bold: str) -> None:
    height = _heading(canvas, sheet, regular, bold)
    height = _paragraphs(canvas, sheet.instructions(), regular, height - LINE)
    height = _words(canvas, sheet, regular, height - LINE)
    _code(canvas, sheet.code(), height - LINE)


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _sheets(needed: int, of: int) -> str:
    return "the nominee's sheet" if of == 1 else f"{needed} of the {of} nominee sheets"


def _for_owner(others: str) -> Iterator[str]:
    yield (
        f"It opens together with {others}, even if LifeVault is gone; or together with the part that LifeVault keeps, "
        "for yourself if you have lost everything else."
    )
    yield "You may make a new set at any time in LifeVault; the old sheets are worthless then and can be burnt."


def _for_nominee(owner: str, others: str) -> Iterator[str]:
    yield (
        f"On the day {owner} wishes you to have it, {others} open together with the part that LifeVault keeps, or "
        "together with the owner's own sheet."
    )
    yield f"If you lose this sheet or move away, tell {owner}, who can make a new set; then burn this one."


def _typeface(sheet: Sheet, font: Path | None) -> tuple[str, str]:
    if font is not None:
        from reportlab.pdfbase import pdfmetrics, ttfonts  # noqa: PLC0415 (as above)

        name = f"LifeVault-{font.stem}"
        pdfmetrics.registerFont(ttfonts.TTFont(name, str(font)))
        return name, name
    try:
        (sheet.holder_name + sheet.owner_name).encode("cp1252")
    except UnicodeEncodeError:
        raise NotPrintable from None
    return "Helvetica", "Helvetica-Bold"


def _heading(canvas: "Canvas", sheet: Sheet, regular: str, bold: str) -> float:
    canvas.setFont(bold, TITLE_SIZE)
    canvas.drawString(LEFT, TOP, "Legacy sheet")
    canvas.setFont(regular, TEXT_SIZE)
    facts = [
        f"Legacy of: {_short(sheet.owner_name)}",
        f"Held by: {_short(sheet.holder_name)}",
        f"Set: {sheet.set_id}",
        f"Made on: {sheet.made_on.isoformat()}",
        *([f"Owner's keys: {sheet.fingerprint}"] if sheet.fingerprint else []),
    ]
    for line, fact in enumerate(facts, 2):
        canvas.drawString(LEFT, TOP - LINE * line, fact)
    return TOP - LINE * (len(facts) + 2)


def _paragraphs(canvas: "Canvas", paragraphs: list[str], font: str, height: float) -> float:
    from reportlab.lib.utils import simpleSplit  # noqa: PLC0415 (as above)

    canvas.setFont(font, TEXT_SIZE)
    for paragraph in paragraphs:
        for line in simpleSplit(paragraph, font, TEXT_SIZE, WIDTH):
            canvas.drawString(LEFT, height, line)
            height -= LINE
        height -= LINE / 2
    return height


def _words(canvas: "Canvas", sheet: Sheet, font: str, height: float) -> float:
    """In columns, read downward."""
    entries = sheet.numbered_words()
    rows = -(-len(entries) // WORD_COLUMNS)
    canvas.setFont(font, WORD_SIZE)
    for place, entry in enumerate(entries):
        column, row = divmod(place, rows)
        number, word = entry.split()
        left = LEFT + column * WIDTH / WORD_COLUMNS
        canvas.drawRightString(left + 18, height - row * LINE * 1.2, number)
        canvas.drawString(left + 26, height - row * LINE * 1.2, word)
    return height - rows * LINE * 1.2


def _code(canvas: "Canvas", text: str, top: float) -> None:
    import segno  # noqa: PLC0415 (as above)

    matrix = segno.make_qr(text, error="m", boost_error=False).matrix
    size = CODE_POINTS / (len(matrix) + 2 * QUIET_ZONE)
    draw = partial(canvas.rect, height=size, stroke=0, fill=1)
    for row, modules in enumerate(matrix):
        y = top - (row + 1 + QUIET_ZONE) * size
        for column, dark in enumerate(modules):
            if dark:
                draw(LEFT + (column + QUIET_ZONE) * size, y, width=size)
