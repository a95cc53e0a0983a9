"""Small real files of many kinds, made from text, for the tests of reading."""

import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from xml.sax.saxutils import escape

from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def pdf(*pages: str, encrypt: str | None = None) -> bytes:
    """One page for each text, a line for each of its lines."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=encrypt, invariant=1)
    for page in pages:
        for index, line in enumerate(page.split("\n")):
            canvas.drawString(72, 770 - 16 * index, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def picture(text: str, kind: str = "PNG", turned: int = 0) -> bytes:
    """The first page of `pdf(text)` as a scanner would deliver it, `turned` clockwise by a multiple of 90 degrees."""
    return _pictures([text], kind, turned)


def fax(*pages: str) -> bytes:
    """A TIFF of several pages."""
    return _pictures(pages, "TIFF", 0)


def _pictures(texts: Sequence[str], kind: str, turned: int) -> bytes:
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf(*texts))
    images = [page.render(scale=200 / 72, rotation=turned, grayscale=True).to_pil() for page in document]
    buffer = io.BytesIO()
    several = {"save_all": True, "append_images": images[1:]} if images[1:] else {}
    images[0].save(buffer, kind, dpi=(200, 200), **several)
    return buffer.getvalue()


def scanned_pdf(*texts: str, turned: int = 0) -> bytes:
    """A PDF whose pages are pictures."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for text in texts:
        canvas.drawImage(ImageReader(io.BytesIO(picture(text, turned=turned))), 0, 0, width=595, height=842)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def archive(entries: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP; the entry `mimetype` is stored first and uncompressed, as OpenDocument and EPUB ask for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as package:
        for name, data in entries.items():
            package.writestr(name, data, zipfile.ZIP_STORED if name == "mimetype" else compression)
    return buffer.getvalue()


def _office(main: str, kind: str, body: dict[str, str | bytes]) -> bytes:
    types = (
        f'{XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/{main}" ContentType='
        f'"application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
    )
    links = (
        f'{XML}<Relationships xmlns="{PACKAGE_LINKS}"><Relationship Id="rId1" Type="{LINKS}/officeDocument" '
        f'Target="{main}"/></Relationships>'
    )
    return archive({"[Content_Types].xml": types, "_rels/.rels": links, **body})


def docx(*paragraphs: str) -> bytes:
    """A Word document."""
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>' for text in paragraphs)
    document = f'{XML}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return _office("word/document.xml", "wordprocessingml.document", {"word/document.xml": document})


def xlsx(sheets: dict[str, Sequence[Sequence[str]]]) -> bytes:
    """A workbook of texts."""
    names = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{LINKS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    parts: dict[str, str | bytes] = {
        "xl/workbook.xml": f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{LINKS}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{XML}<Relationships xmlns="{PACKAGE_LINKS}">{links}</Relationships>',
    }
    for number, rows in enumerate(sheets.values(), start=1):
        lines = "".join(
            "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row) + "</row>"
            for row in rows
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{lines}</sheetData></worksheet>'
        )
    return _office("xl/workbook.xml", "spreadsheetml.sheet", parts)


def pptx(*slides: str) -> bytes:
    """A presentation with one text on each slide."""
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in range(1, len(slides) + 1))
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{LINKS}/slide" Target="slides/slide{n}.xml"/>'
        for n in range(1, len(slides) + 1)
    )
    parts: dict[str, str | bytes] = {
        "ppt/presentation.xml": (
            f'{XML}<p:presentation xmlns:p="{SLIDES}" xmlns:r="{LINKS}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>'
        ),
        "ppt/_rels/presentation.xml.rels": f'{XML}<Relationships xmlns="{PACKAGE_LINKS}">{links}</Relationships>',
    }
    for number, text in enumerate(slides, start=1):
        parts[f"ppt/slides/slide{number}.xml"] = (
            f'{XML}<p:sld xmlns:p="{SLIDES}" xmlns:a="{DRAWING}"><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r>'
            f"<a:t>{escape(text)}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
        )
    return _office("ppt/presentation.xml", "presentationml.presentation", parts)


def odt(*paragraphs: str) -> bytes:
    """An OpenDocument text."""
    office, text = (f"urn:oasis:names:tc:opendocument:xmlns:{part}:1.0" for part in ("office", "text"))
    body = "".join(f"<text:p>{escape(paragraph)}</text:p>" for paragraph in paragraphs)
    content = (
        f'{XML}<office:document-content xmlns:office="{office}" xmlns:text="{text}" office:version="1.3"><office:body>'
        f"<office:text>{body}</office:text></office:body></office:document-content>"
    )
    return archive({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def epub(*chapters: str) -> bytes:
    """A book with one text in each chapter."""
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            f'{XML}<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
        ),
        "book.opf": (
            f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">1</dc:identifier>'
            f"<dc:title>Book</dc:title><dc:language>en</dc:language></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
        ),
    }
    for number, text in enumerate(chapters):
        parts[f"c{number}.xhtml"] = (
            f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{escape(text)}</p></body></html>'
        )
    return archive(parts)


def rtf(*paragraphs: str) -> bytes:
    """A Rich Text file."""
    return ("{\\rtf1\\ansi " + "\\par ".join(paragraphs) + "}").encode("ascii")


def mail(body: str, *attachments: tuple[str, bytes], subject: str = "About our papers") -> bytes:
    """An e-mail with attachments of undeclared kind."""
    message = EmailMessage()
    message["From"] = "Ines Feldmann <ines@example.org>"
    message["To"] = "Jonas Feldmann <jonas@example.org>"
    message["Date"] = "Tue, 06 Jan 2026 10:00:00 +0100"
    message["Subject"] = subject
    message["Message-ID"] = "<1@example.org>"
    message.set_content(body)
    for name, data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()
