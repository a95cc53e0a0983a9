"""A receipt as a PDF: one or more A4 pages, the same bytes whenever it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from app.core.pdf import A4, BOLD, REGULAR, new_canvas
from app.payments.services.letters import day, money

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4
LEFT: Final = 56.0
RIGHT: Final = WIDTH - 56.0
TOP: Final = HEIGHT - 64.0
BOTTOM: Final = 96.0
LINE: Final = 16.0
GREY: Final = 0.42
LONGEST_LINE: Final = 62


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """What was bought, and for which time."""

    text: str
    amount_cents: int
    period: tuple[datetime, datetime] | None


@dataclass(frozen=True, slots=True)
class PrintedReceipt:
    """Everything on a receipt. `seller` and `buyer` are lines of text; amounts are minor units."""

    number: str
    paid_at: datetime
    seller: Sequence[str]
    buyer: Sequence[str]
    lines: Sequence[PrintedLine]
    currency: str
    discount_cents: int
    tax_cents: int
    credit_cents: int
    paid_cents: int
    refunded_cents: int


def render(receipt: PrintedReceipt) -> bytes:
    """The PDF."""
    canvas, buffer = new_canvas(f"Receipt {receipt.number}")
    y = _head(canvas, receipt)
    for line in receipt.lines:
        y = _line(canvas, receipt, line, y)
    _sums(canvas, receipt, y)
    _foot(canvas, receipt)
    canvas.save()
    return buffer.getvalue()


def _head(canvas: "Canvas", receipt: PrintedReceipt) -> float:
    canvas.setFont(BOLD, 20)
    canvas.drawString(LEFT, TOP, "Receipt")
    canvas.setFont(REGULAR, 10)
    canvas.drawRightString(RIGHT, TOP + 6, receipt.number)
    canvas.drawRightString(RIGHT, TOP - 8, f"Paid on {day(receipt.paid_at)}")
    y = TOP - 48
    for title, x, texts in (("From", LEFT, receipt.seller), ("For", WIDTH / 2, receipt.buyer)):
        _label(canvas, title, x, y)
        for row, text in enumerate(texts, 1):
            canvas.drawString(x, y - row * 14, text)
    y -= 14 * max(len(receipt.seller), len(receipt.buyer)) + 40
    _label(canvas, "What", LEFT, y)
    _rule(canvas, y - 6)
    return y - 24


def _line(canvas: "Canvas", receipt: PrintedReceipt, line: PrintedLine, y: float) -> float:
    if y < BOTTOM + 6 * LINE:
        _foot(canvas, receipt)
        canvas.showPage()
        y = TOP
    canvas.setFont(REGULAR, 10)
    canvas.drawRightString(RIGHT, y, money(line.amount_cents, receipt.currency))
    for text in wrapped(line.text, LONGEST_LINE):
        canvas.drawString(LEFT, y, text)
        y -= 13
    if line.period:
        start, end = line.period
        _grey(canvas, f"{day(start)} to {day(end)}", LEFT, y)
        y -= 13
    return y - 6


def wrapped(text: str, longest: int) -> list[str]:
    """A text in lines of at most so many characters, broken between words where there are any."""
    lines = [""]
    for word in text.split():
        pieces = [word[at : at + longest] for at in range(0, len(word), longest)]
        for piece in pieces:
            joined = f"{lines[-1]} {piece}".strip()
            if len(joined) <= longest:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines


def _sums(canvas: "Canvas", receipt: PrintedReceipt, y: float) -> None:
    _rule(canvas, y + 8)
    rows = [
        ("Discount", -receipt.discount_cents),
        ("Tax", receipt.tax_cents),
        ("Paid from your credit", -receipt.credit_cents),
        ("Paid", receipt.paid_cents),
        ("Given back", -receipt.refunded_cents),
    ]
    for label, cents in rows:
        if not cents and label != "Paid":
            continue
        y -= LINE
        canvas.setFont(BOLD if label == "Paid" else REGULAR, 11 if label == "Paid" else 10)
        canvas.drawString(WIDTH / 2, y, label)
        canvas.drawRightString(RIGHT, y, money(cents, receipt.currency))


def _foot(canvas: "Canvas", receipt: PrintedReceipt) -> None:
    _grey(canvas, f"{receipt.number} · page {canvas.getPageNumber()}", LEFT, 48)


def _label(canvas: "Canvas", text: str, x: float, y: float) -> None:
    canvas.setFont(BOLD, 9)
    canvas.drawString(x, y, text)
    canvas.setFont(REGULAR, 10)


def _grey(canvas: "Canvas", text: str, x: float, y: float) -> None:
    canvas.setFillGray(GREY)
    canvas.setFont(REGULAR, 9)
    canvas.drawString(x, y, text)
    canvas.setFillGray(0)
    canvas.setFont(REGULAR, 10)


def _rule(canvas: "Canvas", y: float) -> None:
    canvas.setStrokeGray(0.8)
    canvas.line(LEFT, y, RIGHT, y)
