"""Which fields of a document fill which fields of a record."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.rag.fields.shapes import Field, FieldKind
from app.vault.errors import InvalidFields
from app.vault.schemas.items import Fields
from app.vault.types import RecordType
from app.vault.types.fields import check_fields

LEAST_CONFIDENCE: Final = 0.6
_VALUES: Final = TypeAdapter[dict[str, Any]](Fields)


@dataclass(frozen=True, slots=True)
class Filled:
    """A field of the record, what it holds, and the field of the document that says so."""

    name: str
    value: Any
    source: Field


@dataclass(frozen=True, slots=True)
class _Source:
    """Fields of a document that may fill one of a record: their kind, and their roles, the best first."""

    kind: FieldKind
    roles: tuple[str, ...]
    label: str = ""
    """A word that must stand in what introduces the value."""


def _of(kind: FieldKind, roles: str, label: str = "") -> _Source:
    return _Source(kind, tuple(roles.split()), label)


_ENDS: Final = _of(FieldKind.DATE, "expires renews")
_ISSUED: Final = _of(FieldKind.DATE, "issued")
_PERSON: Final = _of(FieldKind.NAME, "holder insured person")
_COMPANY: Final = _of(FieldKind.NAME, "provider insurer issuer organisation")
_PHONE: Final = _of(FieldKind.PHONE, "phone")
_ACCOUNT: Final = _of(FieldKind.NUMBER, "account contract reference")
_REGISTERED: Final = _of(FieldKind.NUMBER, "register reference")

_SOURCES: Final[dict[str, _Source]] = {
    **dict.fromkeys(("expires_on", "ends_on", "valid_until", "matures_on"), _ENDS),
    "renews_on": _of(FieldKind.DATE, "renews expires"),
    **dict.fromkeys(("issued_on", "signed_on", "awarded_on", "assessed_on", "prescribed_on"), _ISSUED),
    "first_registered_on": _of(FieldKind.DATE, "issued", "first"),
    "inspection_due_on": _of(FieldKind.DATE, "due", "inspection"),
    **dict.fromkeys(("starts_on", "valid_from", "joined_on"), _of(FieldKind.DATE, "starts")),
    "fixed_until": _of(FieldKind.DATE, "expires", "fixed"),
    **dict.fromkeys(("notice_until", "cancel_by", "due_on", "next_due_on", "refill_on"), _of(FieldKind.DATE, "due")),
    "born_on": _of(FieldKind.DATE, "born"),
    "died_on": _of(FieldKind.DATE, "died"),
    "bought_on": _of(FieldKind.DATE, "other", "bought"),
    "number": _of(FieldKind.NUMBER, "identity social customer register policy"),
    "policy_number": _of(FieldKind.NUMBER, "policy customer contract"),
    "contract_number": _of(FieldKind.NUMBER, "contract account reference"),
    "reference": _of(FieldKind.NUMBER, "customer contract reference account"),
    "account_number": _ACCOUNT,
    "iban": _of(FieldKind.IBAN, "account"),
    "bic": _of(FieldKind.NUMBER, "bic"),
    "registration": _of(FieldKind.NUMBER, "registration"),
    "vin": _of(FieldKind.NUMBER, "vehicle"),
    "tax_number": _of(FieldKind.NUMBER, "tax reference"),
    **dict.fromkeys(("title_number", "register_number"), _REGISTERED),
    "personnel_number": _of(FieldKind.NUMBER, "customer"),
    "order_number": _of(FieldKind.NUMBER, "invoice"),
    **dict.fromkeys(("full_name", "holder", "person", "employee", "owners"), _PERSON),
    "insured": _of(FieldKind.NAME, "insured holder"),
    "drivers": _of(FieldKind.NAME, "insured"),
    "borrowers": _of(FieldKind.NAME, "borrower holder"),
    "beneficiaries": _of(FieldKind.NAME, "beneficiary"),
    "insurer": _of(FieldKind.NAME, "insurer issuer provider organisation"),
    **dict.fromkeys(("bank", "provider", "issuer", "institution", "organisation", "issued_by", "seller"), _COMPANY),
    "lender": _of(FieldKind.NAME, "provider issuer organisation"),
    "authority": _of(FieldKind.NAME, "provider issuer"),
    "employer": _of(FieldKind.NAME, "employer issuer organisation"),
    "landlord": _of(FieldKind.NAME, "landlord"),
    "tenant": _of(FieldKind.NAME, "tenant"),
    "testator": _of(FieldKind.NAME, "testator"),
    "executor": _of(FieldKind.NAME, "executor"),
    "attorney": _of(FieldKind.NAME, "attorney"),
    "principal": _of(FieldKind.NAME, "donor"),
    "doctor": _of(FieldKind.NAME, "doctor person"),
    "premium": _of(FieldKind.AMOUNT, "premium"),
    "excess": _of(FieldKind.AMOUNT, "excess"),
    "sum_insured": _of(FieldKind.AMOUNT, "sum_insured"),
    "buildings_sum": _of(FieldKind.AMOUNT, "sum_insured", "building"),
    "contents_sum": _of(FieldKind.AMOUNT, "sum_insured", "content"),
    "rent": _of(FieldKind.AMOUNT, "rent"),
    "deposit": _of(FieldKind.AMOUNT, "deposit"),
    "price": _of(FieldKind.AMOUNT, "price total"),
    "cost": _of(FieldKind.AMOUNT, "fee total price"),
    "amount": _of(FieldKind.AMOUNT, "principal"),
    **dict.fromkeys(("balance", "value"), _of(FieldKind.AMOUNT, "balance")),
    "instalment": _of(FieldKind.AMOUNT, "instalment"),
    "expected": _of(FieldKind.AMOUNT, "pension"),
    "salary": _of(FieldKind.AMOUNT, "income"),
    "result": _of(FieldKind.AMOUNT, "refund payment"),
    "interest": _of(FieldKind.PERCENTAGE, "rate"),
    **dict.fromkeys(("phone", "claims_phone", "emergency_phone", "block_phone", "service_phone"), _PHONE),
    "email": _of(FieldKind.EMAIL, "email"),
}


def fill(record_type: RecordType, fields: Sequence[Field]) -> list[Filled]:
    """The fields of a record that a document tells; secret ones are left to the person."""
    return list(_filled(record_type, fields))


def _filled(record_type: RecordType, fields: Sequence[Field]) -> Iterator[Filled]:
    for field in record_type.fields:
        source, convert = _SOURCES.get(field.name), _CONVERTERS.get(field.type)
        if source is None or convert is None:
            continue
        best = _best(source, fields) or (_of_parts(fields) if source is _PERSON else None)
        value = convert(best) if best else None
        if best and value is not None and _fits(record_type, field.name, value):
            yield Filled(field.name, value, best)


def _of_parts(fields: Sequence[Field]) -> Field | None:
    """A name that is told as given names and surname."""
    given = _best(_of(FieldKind.NAME, "given_name"), fields)
    surname = _best(_of(FieldKind.NAME, "surname"), fields)
    return replace(surname, value=f"{given.value} {surname.value}") if given and surname else surname


def _best(source: _Source, fields: Sequence[Field]) -> Field | None:
    """The surest field of the best role; of equal ones the first."""
    fitting = [
        (source.roles.index(field.role), -field.confidence, at)
        for at, field in enumerate(fields)
        if field.kind is source.kind and field.role in source.roles and field.confidence >= LEAST_CONFIDENCE
        if field.checksum is not False and source.label in field.label.casefold()
    ]
    return fields[min(fitting)[2]] if fitting else None


def _fits(record_type: RecordType, name: str, value: Any) -> bool:
    try:
        check_fields(record_type, _VALUES.validate_python({name: value}))
    except (InvalidFields, ValidationError):
        return False
    return True


def _text(source: Field) -> str:
    return " ".join(source.text.split()) if source.kind is FieldKind.NUMBER else source.value


def _date(source: Field) -> str | None:
    return source.value if len(source.value) == len("2031-05-31") else None


def _amount(source: Field) -> dict[str, str] | None:
    return {"amount": source.value, "currency": source.currency} if source.currency else None


_CONVERTERS: Final[dict[str, Callable[[Field], Any]]] = {
    "text": _text,
    "multiline": _text,
    "date": _date,
    "month": lambda source: source.value[: len("2031-05")],
    "amount": _amount,
    "number": lambda source: float(source.value),
    "phone": lambda source: " ".join(source.text.split()),
    "email": _text,
}
