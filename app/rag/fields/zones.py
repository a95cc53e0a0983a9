"""What a machine-readable zone tells, as fields: the zone itself and its parts."""

from collections.abc import Iterator

from app.rag.fields.mrz import Part, Zone, find_zones
from app.rag.fields.places import Place
from app.rag.fields.shapes import Field, FieldKind

LABEL = "MRZ"


def find_zone_fields(place: Place) -> Iterator[Field]:
    """Zones with their number, dates and name; the check digits of each part are told for that part."""
    for zone in find_zones(place.text):
        intact = zone.intact
        start, end = zone.span
        yield _field(place, FieldKind.MRZ, "identity", "\n".join(zone.lines), start, end, intact)
        yield from _parts(place, zone)


def _parts(place: Place, zone: Zone) -> Iterator[Field]:
    layout = zone.layout
    yield _part(place, zone, layout.number, FieldKind.NUMBER, "identity", zone.number)
    for part, role in ((layout.born, "born"), (layout.expires, "expires")):
        if value := zone.date(part, past=role == "born"):
            yield _part(place, zone, part, FieldKind.DATE, role, value)
    surname, given = zone.names
    if surname:
        fits = zone.intact  # names have no check digit of their own
        start, end = zone.place(layout.names)
        yield _field(
            place, FieldKind.NAME, "holder", f"{given} {surname}".strip(), start, end, None, 0.9 if fits else 0.6
        )


def _part(place: Place, zone: Zone, part: Part, kind: FieldKind, role: str, value: str) -> Field:
    return _field(place, kind, role, value, *zone.place(part), zone.checks(part))


def _field(
    place: Place,
    kind: FieldKind,
    role: str,
    value: str,
    start: int,
    end: int,
    checksum: bool | None,
    confidence: float | None = None,
) -> Field:
    sure = confidence or (0.99 if checksum else 0.5)
    text = place.text[start:end]
    return Field(kind, role, LABEL, value, text, place.number, start, end, sure, None, checksum)
