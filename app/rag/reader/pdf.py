"""PDF by pdfium: the text layer where there is one, else the picture of the page."""

import ctypes
from dataclasses import replace
from functools import partial
from typing import Final

import pypdfium2
from pypdfium2 import raw

from app.rag.reader.errors import Unreadable
from app.rag.reader.ocr import DPI, Ocr
from app.rag.reader.pages import PageText, ReadPage, clean

POINTS_PER_INCH: Final = 72
MAX_PIXELS: Final = 25_000_000
MUCH_TEXT: Final = 200
USABLE_SHARE: Final = 0.7
PICTURE_SHARE: Final = 0.5
PAPER: Final = 225  # greys from here to white (255) are no ink
LINE_END_HYPHEN: Final = "\ufffe"


def read_pdf(content: bytes, ocr: Ocr) -> list[ReadPage]:
    """The pages of a PDF. Raises `Unreadable` if it is encrypted, damaged, or has no pages."""
    document = open_pdf(content)
    language = _language(document)
    return [partial(_read_page, document, index, language, ocr) for index in range(len(document))]


def open_pdf(content: bytes) -> pypdfium2.PdfDocument:
    """A PDF with at least one page. Raises `Unreadable`."""
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        locked = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise Unreadable("encrypted" if locked else "damaged") from error
    if not len(document):
        raise Unreadable("damaged")
    return document


def _read_page(document: pypdfium2.PdfDocument, index: int, language: str | None, ocr: Ocr) -> PageText:
    try:
        page = open_page(document, index)
    except pypdfium2.PdfiumError:
        return PageText("", skipped=True)  # one broken page does not spoil the others
    try:
        text = _text(page)
        if (len(text) >= MUCH_TEXT and _usable(text)) or not _is_picture(page, text):
            return PageText(text, language)
        return _better(PageText(text if _usable(text) else "", language), _see(page, ocr))
    finally:
        page.close()


def open_page(document: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    """The page with what was typed into a form drawn on it, as a viewer shows it."""
    page = document[index]
    if raw.FPDF_GetFormType(document) != raw.FORMTYPE_NONE:
        raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
        page.close()
        page = document[index]
    return page


def _text(page: pypdfium2.PdfPage) -> str:
    layer = page.get_textpage()
    try:
        return clean(layer.get_text_range()).replace(LINE_END_HYPHEN, "-")
    finally:
        layer.close()


def _see(page: pypdfium2.PdfPage, ocr: Ocr) -> PageText:
    pixels, width, height = _render(page)
    if min(pixels, default=PAPER) >= PAPER:
        return PageText("")
    try:
        return ocr.read(b"P5 %d %d 255\n" % (width, height) + pixels, "--dpi", str(DPI))
    except Unreadable:
        return PageText("", skipped=True)


def _better(layer: PageText, seen: PageText) -> PageText:
    """What is seen, if it is more than what the layer says; the layer is exact."""
    if len(seen.text) > len(layer.text):
        return seen
    return replace(layer, skipped=seen.skipped)


def _usable(text: str) -> bool:
    """Whether the layer holds characters, not the numbers of glyphs whose meaning the file does not tell."""
    visible = "".join(text.replace("\ufffd", "\0").split())
    return bool(visible) and sum(map(str.isprintable, visible)) >= USABLE_SHARE * len(visible)


def _is_picture(page: pypdfium2.PdfPage, text: str) -> bool:
    """Whether pictures fill much of the page, or there is something on it while the text can't be used."""
    objects = list(page.get_objects(max_depth=3))
    if not _usable(text):
        return bool(objects)
    width, height = page.get_size()
    boxes = (item.get_bounds() for item in objects if item.type == raw.FPDF_PAGEOBJ_IMAGE)
    covered = sum(max(right - left, 0) * max(top - bottom, 0) for left, bottom, right, top in boxes)
    return bool(covered >= PICTURE_SHARE * width * height)


def _render(page: pypdfium2.PdfPage) -> tuple[bytes, int, int]:
    """The page in grey at `DPI` (fewer for huge pages): a byte for each pixel, width, height."""
    width, height = page.get_size()
    scale = min(DPI / POINTS_PER_INCH, (MAX_PIXELS / max(width * height, 1)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        rows = bytes(bitmap.buffer)
        if bitmap.stride != bitmap.width:
            starts = range(0, bitmap.stride * bitmap.height, bitmap.stride)
            rows = b"".join(rows[start : start + bitmap.width] for start in starts)
        return rows, bitmap.width, bitmap.height
    finally:
        bitmap.close()


def _language(document: pypdfium2.PdfDocument) -> str | None:
    """What the catalogue declares as /Lang, as `en-GB`."""
    size = raw.FPDFCatalog_GetLanguage(document, None, 0)
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", errors="ignore").rstrip("\0") or None
