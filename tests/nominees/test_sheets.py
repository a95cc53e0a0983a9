"""A sheet says everything its holder needs, comes out the same every time, and is read back from its picture."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pypdfium2
import pytest
import reportlab
import segno

from app.nominees.shamir import open_sheets, share_among_three
from app.nominees.sheets import CODE_POINTS, LEFT, QUIET_ZONE, Holder, NotPrintable, Sheet, sheet_pdf

SECRET = bytes(range(32))
PARTS = share_among_three(SECRET, 2, 3)
SHEET = Sheet(
    Holder.NOMINEE,
    "José Müller",
    "Zoë O’Brien",
    UUID("0190a1b2-0000-7000-8000-00000005e701"),
    date(2027, 3, 1),
    PARTS.nominees[0],
    2,
    3,
)


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    text = document[0].get_textpage().get_text_range()
    document.close()
    return text


def test_a_sheet_says_whose_it_is_and_what_to_do():
    text = text_of(sheet_pdf(SHEET))

    for said in ("José Müller", "Zoë O’Brien", str(SHEET.set_id), "2027-03-01", "2 of the 3 nominee sheets"):
        assert said in text
    assert "By itself it opens nothing" in text
    assert "the owner's own sheet" in " ".join(text.split())


def test_the_words_stand_numbered_on_the_sheet_and_open():
    owner = replace(SHEET, holder=Holder.OWNER, words=PARTS.owner)
    typed = []
    for sheet in (SHEET, owner, replace(SHEET, words=PARTS.nominees[2])):
        lines = text_of(sheet_pdf(sheet)).split()
        words = sheet.words.split()
        found = [lines[at + 1] for number in range(1, 34) for at in [position(lines, number, words)]]
        typed.append(" ".join(found))

    assert typed[0] == SHEET.words
    assert open_sheets(typed) == SECRET


def position(lines: list[str], number: int, words: list[str]) -> int:
    """Where the number of a word stands, told from other numbers by the word that follows."""
    return next(at for at, each in enumerate(lines[:-1]) if each == str(number) and lines[at + 1] in words)


def test_the_owners_sheet_is_told_apart():
    text = " ".join(text_of(sheet_pdf(replace(SHEET, holder=Holder.OWNER))).split())

    assert "even if LifeVault is gone" in text
    assert "If you lose this sheet or move away" not in text


def test_one_nominee_is_not_called_one_of_one():
    sheet = replace(SHEET, nominees_needed=1, nominees=1)

    assert "the nominee's sheet" in " ".join(text_of(sheet_pdf(sheet)).split())


def test_the_owners_keys_stand_on_the_sheets_of_a_sealed_vault():
    assert "Owner's keys" not in text_of(sheet_pdf(SHEET))
    assert "lusab babad" in text_of(sheet_pdf(replace(SHEET, fingerprint="lusab babad " * 4)))


def test_the_same_sheet_gives_the_same_bytes():
    assert sheet_pdf(SHEET) == sheet_pdf(SHEET)
    assert sheet_pdf(SHEET) != sheet_pdf(replace(SHEET, made_on=date(2027, 3, 2)))


def test_the_code_is_drawn_module_for_module():
    page = pypdfium2.PdfDocument(sheet_pdf(SHEET))[0]
    image = page.render(scale=4, grayscale=True).to_pil()
    matrix = segno.make_qr(SHEET.code(), error="m", boost_error=False).matrix
    size = 4 * CODE_POINTS / (len(matrix) + 2 * QUIET_ZONE)
    left = 4 * LEFT + QUIET_ZONE * size
    column = [y for y in range(image.height) if image.getpixel((int(left + size / 2), y)) < 64]
    top = max(column) + 1 - len(matrix) * size  # the lower left corner of every code is dark

    def is_dark(row: int, column: int) -> bool:
        return image.getpixel((int(left + (column + 0.5) * size), int(top + (row + 0.5) * size))) < 128

    places = range(len(matrix))
    assert [[is_dark(row, column) for column in places] for row in places] == [list(map(bool, row)) for row in matrix]


def test_the_longest_secret_and_names_still_fit_on_the_page():
    parts = share_among_three(bytes(64), 16, 16)
    sheet = replace(SHEET, words=parts.nominees[0], owner_name="M" * 200, holder_name="W" * 200)
    sheet = replace(sheet, fingerprint="lusab babad " * 4)
    image = pypdfium2.PdfDocument(sheet_pdf(sheet))[0].render(grayscale=True).to_pil()

    dark = [(x, y) for x in range(image.width) for y in range(image.height) if image.getpixel((x, y)) < 128]

    assert "59" in text_of(sheet_pdf(sheet)).split()
    assert 40 < min(x for x, _ in dark) < max(x for x, _ in dark) < 555
    assert 40 < min(y for _, y in dark) < max(y for _, y in dark) < 802


def test_a_name_that_the_typeface_does_not_have_needs_a_font():
    sheet = replace(SHEET, holder_name="Ελένη")

    with pytest.raises(NotPrintable):
        sheet_pdf(sheet)


def test_a_font_file_is_embedded_and_the_bytes_stay_the_same():
    font = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    sheet = replace(SHEET, holder_name="José")

    assert "José" in text_of(sheet_pdf(sheet, font))
    assert sheet_pdf(sheet, font) == sheet_pdf(sheet, font)


def test_a_sheet_does_not_print_its_words_into_a_log():
    assert SHEET.words.split()[10] not in repr(SHEET)
