"""Every value that a page holds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from app.rag.document import Page
from app.rag.fields.amounts import find_amounts, find_marked
from app.rag.fields.contacts import find_contacts, find_marked_contacts
from app.rag.fields.dated import find_dated
from app.rag.fields.dates import DayOrder, day_order
from app.rag.fields.names import find_names
from app.rag.fields.numbers import find_ibans, find_numbers
from app.rag.fields.places import Place
from app.rag.fields.shapes import Field
from app.rag.fields.zones import find_zone_fields

MOST_ON_A_PAGE: Final = 400
MOST_IN_DOCUMENT: Final = 2_000
MOST_VALUE: Final = 300


def extract(pages: Sequence[Page], language: str) -> dict[int, list[Field]]:
    """The fields of each page that has any, in the order of the page; none overlap but the parts of a zone."""
    places = [Place(page.number, page.text) for page in pages]
    order = day_order((place.plain for place in places), language)
    found: dict[int, list[Field]] = {}
    left = MOST_IN_DOCUMENT
    for place in places:
        if fields := _of_page(place, order)[:left]:
            found[place.number] = fields
            left -= len(fields)
    return found


def _of_page(place: Place, order: DayOrder) -> list[Field]:
    """What is surer comes first, and takes its place."""
    finders: tuple[Callable[[Place], Iterable[Field]], ...] = (
        find_zone_fields,
        find_ibans,
        find_marked_contacts,
        lambda each: find_dated(each, order),
        find_marked,
        find_numbers,
        find_contacts,
        find_amounts,
        find_names,
    )
    found = [field for finder in finders for field in _taken(place, finder(place))]
    found.sort(key=lambda field: (field.start, -field.end))
    return found[:MOST_ON_A_PAGE]


def _taken(place: Place, fields: Iterable[Field]) -> Iterator[Field]:
    for field in fields:
        if len(field.value) <= MOST_VALUE:
            place.take(field.start, field.end)
            yield field
