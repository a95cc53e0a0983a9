"""Office documents, books and Outlook messages by kreuzberg, with all that it would keep or start switched off."""

import io
import zipfile
from typing import TYPE_CHECKING, Final

import kreuzberg

from app.core import sniff
from app.rag.reader.errors import Unreadable
from app.rag.reader.pages import ReadPage, text_pages

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig, ExtractionResult

READ_AS: Final = {
    "application/vnd.ms-excel.sheet.macroenabled.12": sniff.XLSX,
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": sniff.PPTX,
    "application/vnd.ms-word.document.macroenabled.12": sniff.DOCX,
}
READABLE: Final = frozenset(
    {sniff.DOCX, sniff.PPTX, sniff.XLSX, "application/epub+zip", "application/rtf", "application/vnd.ms-outlook"}
    | {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"}
    | {f"application/vnd.oasis.opendocument.{kind}" for kind in ("presentation", "spreadsheet", "text")}
)
ENCRYPTED_OFFICE: Final = "EncryptedPackage".encode("utf-16-le")  # the stream that MS-OFFCRYPTO puts the package into
MANIFEST: Final = "META-INF/manifest.xml"
MANIFEST_BYTES: Final = 1024 * 1024


def read_office(content: bytes, media_type: str) -> list[ReadPage]:
    """The pages of a document: where it breaks them, the sheets of a workbook, else pieces as by `paginate`.

    Raises `Unreadable` if it is encrypted, damaged or of a kind that is not read.
    """
    if _is_encrypted(content):
        raise Unreadable("encrypted")
    kind = READ_AS.get(media_type, media_type)
    if kind not in READABLE:
        raise Unreadable("unsupported")
    try:
        result = kreuzberg.extract_bytes_sync(content, kind, _config())
    except (kreuzberg.KreuzbergError, OSError) as error:  # OSError: an entry that can't be unpacked
        raise Unreadable("damaged") from error
    language = result.metadata.get("language")
    return text_pages(_texts(result), language if isinstance(language, str) else None)


def _config() -> "ExtractionConfig":
    """Nothing cached (by default plaintext goes to a cache in the home folder), no OCR, no clean-up of the text."""
    return kreuzberg.ExtractionConfig(  # type: ignore[call-arg]  # disable_ocr is missing in its type hints
        use_cache=False,
        disable_ocr=True,
        ocr=kreuzberg.OcrConfig(tesseract_config=kreuzberg.TesseractConfig(use_cache=False)),
        enable_quality_processing=False,
        output_format="plain",
        pages=kreuzberg.PageConfig(extract_pages=True),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        content_filter=kreuzberg.ContentFilterConfig(
            include_headers=True, include_footers=True, include_watermarks=True, strip_repeating_text=False
        ),
    )


def _texts(result: "ExtractionResult") -> list[str]:
    """Text by page. Pages are only trusted if they hold what the whole holds: those of slides come out empty."""
    sheets = result.metadata.get("sheet_names")
    if isinstance(sheets, list) and result.tables:
        return _sheets(result, sheets)
    pages = [page["content"] for page in result.pages or []]
    complete = _visible(" ".join(pages)) >= 0.9 * _visible(result.content)
    return pages if complete else [result.content]


def _sheets(result: "ExtractionResult", names: list[str]) -> list[str]:
    """One text for each sheet: its name, then a line for each row with tabs between the cells."""
    texts = dict(enumerate(names, start=1))
    for table in result.tables:
        rows = "\n".join("\t".join(row).rstrip("\t") for row in table.cells)
        texts[table.page_number] = f"{texts.get(table.page_number, '')}\n\n{rows}".strip("\n")
    return list(texts.values())


def _visible(text: str) -> int:
    return len("".join(text.split()))


def _is_encrypted(content: bytes) -> bool:
    """Whether a password is needed: Office wraps such a document in an OLE file, OpenDocument marks its entries."""
    if ENCRYPTED_OFFICE in content[: 1024 * 1024]:
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package, package.open(MANIFEST) as manifest:
            return b"manifest:encryption-data" in manifest.read(MANIFEST_BYTES)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        return False
