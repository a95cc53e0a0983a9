"""What a question asks for, in terms of fields: which kind, and for what."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from app.rag.fields.plain import plain
from app.rag.fields.shapes import Field, FieldKind

_ALMOST: Final = 0.5
"""What a field is worth that has the right kind and a role that people mix up with the one asked for."""


class _Wish(NamedTuple):
    """Questions that match want fields of this kind and role; `also` are roles that nearly fit."""

    pattern: re.Pattern[str]
    kind: FieldKind
    role: str
    also: tuple[str, ...]


def _wish(pattern: str, kind: FieldKind, roles: str) -> _Wish:
    role, *also = roles.split()
    return _Wish(re.compile(pattern), kind, role, tuple(also))


_WHEN: Final = (
    r"(?=.*(?:\bwhen\b|\bwhat (?:date|day)\b|\bwhich (?:date|day)\b|\bwann\b|\bquand\b|\bcuando\b|\bbis\b|\bhasta\b|"
    r"until|how long))"
)
_MUCH: Final = r"(?=.*(?:how (?:much|big|high|large)|what|which|wie (?:viel|hoch)|combien|quel|cuanto|cual|que))"
_NUMBER: Final = r"(?=.*(?:number|nummer|numero))"
_PAPER: Final = (
    r"(?:passport|identity card|id card|licen[cs]e|visa|permit|reisepass|ausweis|fuhrerschein|passeport|pasaporte|"
    r"\bdni\b)"
)
_DATES: Final = (
    (
        r"expir|run out|\bends?\b|matur|lapse|valid|allowed|until|ablauf|lauft .*\bab\b|gultig|endet|caduc|venc",
        "expires renews due",
    ),
    (r"renew|verlanger|renouvel|renuev|renov", "renews expires"),
    (
        r"\bdue\b|by when|deadline|paid .*back|repa(?:y|id)|pay back|\bnext\b|inspect|fallig|echeance|pagar",
        "due expires",
    ),
    (r"issued|signed|made|dated|registered|ausgestellt|unterschrieben|delivre|signe|expedi|firm", "issued"),
    (r"\bstart|\bbegin|\bopened|take effect|in force|commence|beginn|debut|empieza|inicio", "starts"),
    (r"\bborn\b|birth|geboren|geburt|\bnee?\b|naissance|naci", "born"),
)
_AMOUNTS: Final = (
    (
        r"premium|(?:insurance|policy|cover)\b.*\bcosts?\b|\bcosts?\b.*(?:insurance|policy|cover)|pramie|"
        r"versicherung.*kost|cotisation|prima\b",
        "premium total",
    ),
    (r"\bcosts?\b|\bprice\b|pay for|paid for|bought|kostet|kaufpreis|coute|prix|cuesta|precio", "price total premium"),
    (r"\bbill\b|amount due|to pay\b|invoice|rechnung|facture|factura", "total"),
    (
        r"excess|deductible|(?:pay|bear) (?:\w+ )?(?:our|my|your)sel|selbstbe(?:teil|halt)|franchise|franquicia",
        "excess",
    ),
    (
        r"paid out|pay out|sum insured|insured for|death benefit|\bif .*\bdies\b|versicherungssumme",
        "sum_insured",
    ),
    (r"(?:contents|buildings?) (?:amount|sum)", "sum_insured"),
    (r"\brent\b|miete|loyer|alquiler|renta", "rent"),
    (r"deposit|security|kaution|caution|fianza", "deposit"),
    (r"income|salary|earn|einkommen|gehalt|salaire|revenu|ingresos|sueldo", "income"),
    (r"pension\b(?! pot)|retir|rente\b|retraite|jubila", "pension"),
    (r"\bpot\b|balance|in the account|worth|kontostand|guthaben|solde|saldo", "balance"),
    (r"limit|overdr|at most|the most|hochst|plafond|limite", "limit sum_insured"),
    (r"\blend\b|\blent\b|borrow|\bloan\b|darlehen|pret\b|prestamo", "principal"),
    (r"every month|each month|monthly|instal|monatlich|mensuel|mensual", "instalment rent"),
    (r"\bfees?\b|charge|gebuhr|frais|cuota", "fee"),
    (r"money back|refund|erstattung|rembours|devol", "refund payment"),
)
_NUMBERS: Final = (
    (rf"{_NUMBER}.*{_PAPER}", "identity"),
    (rf"{_NUMBER}.*(?:policy|insurance|versicherung|poliza|police)", "policy customer"),
    (rf"{_NUMBER}.*(?:member|customer|client|patient|scheme|roll|kunden|mitglied|adherent|socio)", "customer"),
    (rf"{_NUMBER}.*(?:account|konto|compte|cuenta)", "account"),
    (r".*(?:chassis|\bvin\b|fahrgestell|bastidor)", "vehicle"),
    (r".*(?:plate|registration number|kennzeichen|immatriculation|matricula)", "registration"),
    (r".*(?:reference|aktenzeichen|dossier|expediente|referencia)", "reference"),
    (r".*(?:which number|title number|register number|deposit box|registernummer)", "register reference"),
    (r".*\bcode\b", "code"),
)
_NAMES: Final = (
    (r"landlord|vermieter|bailleur|arrendador", "landlord"),
    (r"tenant|mieter|locataire|arrendatario", "tenant"),
    (r"nominee|beneficiar|begunstigt", "beneficiary"),
    (r"executor|guardian|look after|testamentsvollstrecker|albacea", "executor"),
    (r"attorney|bevollmachtigt|mandataire|apoderado", "attorney"),
    (r"doctor|\bgp\b|arzt|medecin|medico", "doctor"),
    (r"employer|arbeitgeber|employeur", "employer"),
    (r"insurer|insures|versicherer|assureur|aseguradora", "insurer"),
    (r"holder|owner|inhaber|titulaire|titular", "holder"),
    (r"witness|zeuge|temoin|testigo", "witness"),
)
_WISHES: Final = (
    *(_wish(rf"{_WHEN}.*(?:{words})", FieldKind.DATE, roles) for words, roles in _DATES),
    *(_wish(rf"{_MUCH}.*(?:{words})", FieldKind.AMOUNT, roles) for words, roles in _AMOUNTS),
    _wish(rf"{_MUCH}.*(?:interest|\brate\b|zins|taux|interes)", FieldKind.PERCENTAGE, "rate"),
    _wish(rf"{_MUCH}.*(?:\bshare\b|per ?cent|how much of|anteil|prozent)", FieldKind.PERCENTAGE, "other"),
    *(_wish(words, FieldKind.NUMBER, roles) for words, roles in _NUMBERS),
    _wish(r".*\biban\b", FieldKind.IBAN, "account"),
    _wish(r".*(?:\bring\b|\bcall\b|phone|telefon|appeler|llamar|anrufen)", FieldKind.PHONE, "phone"),
    _wish(r".*\be-?mail", FieldKind.EMAIL, "email"),
    *(
        _wish(rf".*\b(?:who|whom|whose|wer|wen|qui|quien)\b.*(?:{words})", FieldKind.NAME, roles)
        for words, roles in _NAMES
    ),
)


@lru_cache(maxsize=256)
def wishes(question: str) -> Sequence[_Wish]:
    """What the question wants."""
    text = " ".join(plain(question).split())
    return [wish for wish in _WISHES if wish.pattern.match(text)]


def answers(question: str, fields: Sequence[Field]) -> float:
    """How well the best of these fields answers the question, 0 to 1."""
    return max((_worth(wish, field) for wish in wishes(question) for field in fields), default=0.0)


def _worth(wish: _Wish, field: Field) -> float:
    if field.kind is not wish.kind:
        return 0.0
    return field.confidence * (1.0 if field.role == wish.role else _ALMOST if field.role in wish.also else 0.0)
