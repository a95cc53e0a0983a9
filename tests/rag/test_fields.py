"""Values found in texts: what they mean, what they are for, and exactly where they stand."""

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rag.document import Page
from app.rag.fields import asked, checks
from app.rag.fields.extract import extract
from app.rag.fields.shapes import Field, FieldKind, decode, encode

PASSPORT = """UTOPIA PASSPORT
Surname / Nom
ERIKSSON
Date of issue        Date of expiration
16 Apr 2002           15 Apr 2012
P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<
L898902C36UTO7408122F1204159ZE184226B<<<<<10
"""
CARD = """I<UTOD231458907<<<<<<<<<<<<<<<
7408122F1204159UTO<<<<<<<<<<<6
ERIKSSON<<ANNA<MARIA<<<<<<<<<<
"""


def fields_of(text: str, language: str = "en") -> list[Field]:
    pages = [Page(1, text)]
    found = [field for fields in extract(pages, language).values() for field in fields]
    assert all(text[field.start : field.end] == field.text for field in found)
    return found


def known(text: str, language: str = "en") -> set[tuple[str, str, str]]:
    return {(field.kind.value, field.role, field.value) for field in fields_of(text, language)}


@pytest.mark.parametrize(
    ("text", "language", "role", "value"),
    [
        ("Date of expiry 20 January 2029.", "en", "expires", "2029-01-20"),
        ("Valid until March 3rd, 2031", "en", "expires", "2031-03-03"),
        ("Expiry: 2031-05-09", "en", "expires", "2031-05-09"),
        ("Your policy renews on 1 June 2027 unless you cancel.", "en", "renews", "2027-06-01"),
        ("Please pay by 13/06/2027.", "en", "due", "2027-06-13"),
        ("Date of birth\n12 AUG 1974", "en", "born", "1974-08-12"),
        ("Card valid thru 09/27", "en", "expires", "2027-09"),
        ("Der Ausweis läuft am 3. Mai 2029 ab.", "de", "expires", "2029-05-03"),
        ("Gültig bis: 03.05.2029", "de", "expires", "2029-05-03"),
        ("Zahlbar bis 15.4.2026", "de", "due", "2026-04-15"),
        ("Kündigung bis zum 31.12.2026 möglich", "de", "expires", "2026-12-31"),
        ("wenn er nicht bis zum 31.12.2026 gekündigt wird", "de", "due", "2026-12-31"),
        ("Ausgestellt am 1. März 2020", "de", "issued", "2020-03-01"),
        ("valable jusqu'au 02/01/2030", "fr", "expires", "2030-01-02"),
        ("Né le 1er février 1970", "fr", "born", "1970-02-01"),
        ("à payer avant le 15 août 2025", "fr", "due", "2025-08-15"),
        ("Échéance principale : 1er décembre 2026", "fr", "renews", "2026-12-01"),
        ("Fecha de caducidad: 5 de mayo de 2030", "es", "expires", "2030-05-05"),
        ("Próxima ITV: 03/2027", "es", "due", "2027-03"),
        ("Fecha de nacimiento 07-11-1988", "es", "born", "1988-11-07"),
        ("The meeting was on 3 May 2021.", "en", "other", "2021-05-03"),
    ],
)
def test_a_date_is_understood_with_what_it_is_for(text, language, role, value):
    assert ("date", role, value) in known(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Period of cover: 6 December 2022 to 25 August 2023", "en"),
        ("Cover from 06/12/2022 until 25/08/2023", "en"),
        ("Versicherungszeitraum 06.12.2022 - 25.08.2023", "de"),
        ("Laufzeit vom 6. Dezember 2022 bis zum 25. August 2023", "de"),
        ("du 6 décembre 2022 au 25 août 2023", "fr"),
        ("Vigencia: del 6 de diciembre de 2022 al 25 de agosto de 2023", "es"),
    ],
)
def test_a_range_has_a_begin_and_an_end(text, language):
    assert {("date", "starts", "2022-12-06"), ("date", "expires", "2023-08-25")} <= known(text, language)


def test_the_time_of_a_bill_is_no_expiry():
    roles = {field.role for field in fields_of("Billing period: 1 May 2024 to 31 May 2024")}

    assert roles == {"other"}


@pytest.mark.parametrize(
    ("text", "language", "value", "sure"),
    [
        ("Expires 04/05/2027, issued 13/01/2020", "en", "2027-05-04", True),
        ("Expires 04/05/2027, issued 01/13/2020", "en", "2027-04-05", True),
        ("Expires 04/05/2027", "en", "2027-05-04", False),
        ("Expires 04/05/2027, fee $20.00", "en", "2027-04-05", False),
        ("expire le 04/05/2027", "fr", "2027-05-04", True),
    ],
)
def test_day_and_month_are_told_by_the_other_dates_the_language_and_the_money(text, language, value, sure):
    (found,) = [field for field in fields_of(text, language) if field.role == "expires"]

    assert found.value == value
    assert (found.confidence > 0.8) is sure


@pytest.mark.parametrize(
    "text", ["99.99.2026", "31 February 2027", "2026-13-01", "version 1.2.3", "0478 916404", "§ 3.4.12"]
)
def test_what_only_looks_like_a_date_is_none(text):
    assert [field for field in fields_of(text) if field.kind is FieldKind.DATE] == []


@pytest.mark.parametrize(
    ("text", "language", "role", "value", "currency"),
    [
        ("Yearly premium: 1,726", "en", "premium", "1726", None),
        ("an excess of £250.50 applies", "en", "excess", "250.50", "GBP"),
        ("Jahresbeitrag: 1.234,56 €", "de", "premium", "1234.56", "EUR"),
        ("Selbstbeteiligung: 300,- EUR", "de", "excess", "300", "EUR"),
        ("Capital assuré : 45 000 €", "fr", "sum_insured", "45000", "EUR"),
        ("Prima anual: 345,20 €", "es", "premium", "345.20", "EUR"),
        ("Prämie CHF 1'250.00", "de", "premium", "1250.00", "CHF"),
        ("Balance on 3 May 2024: 486,600", "en", "balance", "486600", None),
        ("Expected yearly pension at 67: 41,610", "en", "pension", "41610", None),
        ("Total: $12.00", "en", "total", "12.00", "USD"),
    ],
)
def test_a_sum_is_a_decimal_number_with_its_currency(text, language, role, value, currency):
    (found,) = [field for field in fields_of(text, language) if field.kind is FieldKind.AMOUNT]

    assert (found.role, found.value, found.currency) == (role, value, currency)


@pytest.mark.parametrize(
    "text", ["Guarantee: 18 years", "limited to 170 kilometres", "Rent is due in 3 days", "premium 2024"]
)
def test_other_numbers_are_no_sums(text):
    assert [field for field in fields_of(text) if field.kind is FieldKind.AMOUNT and field.value != "2024"] == []


@pytest.mark.parametrize(
    ("text", "role", "value"),
    [
        ("Policy NA4799311. Vehicle: Honda", "policy", "NA4799311"),
        ("Policy number: TQ-4471-93.", "policy", "TQ-4471-93"),
        ("Versicherungsschein-Nr. 12 345 678 901", "policy", "12345678901"),
        ("Contrat d'assurance habitation n° 4587221", "policy", "4587221"),
        ("Póliza de seguro de hogar nº 0098-7765-12", "policy", "0098-7765-12"),
        ("Numéro client : 00458712", "customer", "00458712"),
        ("Kundennummer: 4711-0815", "customer", "4711-0815"),
        ("Membership No: 00123445", "customer", "00123445"),
        ("Passport number VB1598154.", "identity", "VB1598154"),
        ("DNI: 12345678Z", "identity", "12345678Z"),
        ("registration KL69 KSE. Policyholder", "registration", "KL69KSE"),
        ("Amtliches Kennzeichen: B-AL 1234", "registration", "B-AL1234"),
        ("INVOICE No. INV-2024-0042", "invoice", "INV-2024-0042"),
        ("Aktenzeichen: 12 C 345/24", "reference", "12C345/24"),
        ("Steuer-ID 86095742719", "tax", "86095742719"),
        ("Garagenplatznummer: 4455", "other", "4455"),
    ],
)
def test_a_number_is_told_by_the_words_before_it(text, role, value):
    assert ("number", role, value) in known(text)


@pytest.mark.parametrize(
    "text", ["CERTIFICATE 2023", "Policy terms apply from page 1234", "the contract of 1999", "Ref. to clause 12"]
)
def test_not_every_number_names_something(text):
    assert [field for field in fields_of(text) if field.kind is FieldKind.NUMBER] == []


def test_check_digits_are_checked():
    right, wrong = "IBAN DE89 3704 0044 0532 0130 00", "IBAN DE89 3704 0044 0532 0130 01"

    assert [(field.value, field.checksum) for field in fields_of(right)] == [("DE89370400440532013000", True)]
    assert [(field.kind.value, field.checksum) for field in fields_of(wrong)] == [("iban", False)]
    assert checks.is_luhn("4111111111111111")
    assert not checks.is_luhn("4111111111111112")
    assert checks.is_vin("1HGCM82633A004352")
    assert checks.is_spanish_id("X1234567L")
    assert checks.is_french_social("255081416802538")
    assert checks.is_german_tax_id("86095742719")
    assert not checks.is_german_tax_id("86095742718")


def test_a_passport_is_read_from_its_zone_and_its_table():
    found = fields_of(PASSPORT)

    zone = next(field for field in found if field.kind is FieldKind.MRZ)
    assert zone.checksum is True
    assert {
        ("number", "identity", "L898902C3"),
        ("date", "born", "1974-08-12"),
        ("date", "issued", "2002-04-16"),
        ("date", "expires", "2012-04-15"),
        ("name", "holder", "Anna Maria Eriksson"),
        ("name", "surname", "ERIKSSON"),
    } <= known(PASSPORT)


def test_a_zone_with_a_wrong_digit_says_so_for_that_part():
    found = fields_of(PASSPORT.replace("L898902C36", "L898902C37"))

    checked = {(field.kind, field.role): field.checksum for field in found if field.checksum is not None}
    assert checked[FieldKind.MRZ, "identity"] is False
    assert checked[FieldKind.NUMBER, "identity"] is False
    assert checked[FieldKind.DATE, "expires"] is True


def test_a_card_of_three_lines_is_read_also_with_spaces_of_a_scanner():
    spaced = CARD.replace("D231458907<<<<", "D231458907 < < < <")

    for text in (CARD, spaced):
        assert {("number", "identity", "D23145890"), ("name", "holder", "Anna Maria Eriksson")} <= known(text)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Breakdown: call 0478 916404 at any hour", "phone", "0478916404"),
        ("Tel. +49 (30) 1234-567", "phone", "+49301234567"),
        ("Call us on (555) 010-4477", "phone", "5550104477"),
        ("Tél. : 01 42 68 53 00", "phone", "0142685300"),
        ("write to Claims@Insurer.example today", "email", "claims@insurer.example"),
    ],
)
def test_ways_to_reach_somebody(text, kind, value):
    assert (kind, value) in {(field.kind.value, field.value) for field in fields_of(text)}


@pytest.mark.parametrize(
    ("text", "role", "value"),
    [
        ("Policyholder: Meera Varlow. Period", "holder", "Meera Varlow"),
        ("Borrowers: Meera and Tobias Varlow.", "borrower", "Meera and Tobias Varlow"),
        ("Versicherungsnehmerin: Anna von der Heide", "holder", "Anna von der Heide"),
        ("Souscripteur : Jean-Luc Moreau", "holder", "Jean-Luc Moreau"),
        ("Landlord: Oakfield Homes Ltd. Tenant: Zoë Müller", "landlord", "Oakfield Homes Ltd"),
        ("Tenant: Zoë Müller", "tenant", "Zoë Müller"),
        ("The boiler man is Mr Almasi, telephone", "person", "Almasi"),
        ("Nordlicht Versicherung AG\nLübeck", "issuer", "Nordlicht Versicherung AG"),
    ],
)
def test_names_are_found_where_words_announce_them(text, role, value):
    assert ("name", role, value) in known(text)


def test_fields_survive_the_way_to_the_database():
    found = fields_of(PASSPORT)

    assert decode(1, encode(found)) == found


@pytest.mark.slow
def test_a_page_of_numbers_does_not_take_long_or_overflow():
    pages = [Page(number, "Policy no 12345 due 1.1.2027 EUR 5,00 " * 80) for number in range(1, 120)]
    hostile = [
        "1" * 20_000,
        "A" * 20_000,
        "1 " * 10_000,
        "A1-" * 7_000,
        "+1 (" * 5_000,
        "<" * 20_000,
        "Mr A " * 4_000,
        "1.1." * 5_000,
    ]
    started = time.process_time()

    found = extract(pages, "en")
    for text in hostile:
        extract([Page(1, text)], "en")

    assert sum(map(len, found.values())) == 2_000
    assert time.process_time() - started < 60  # a pattern that explodes takes for ever


@given(
    st.text(
        alphabet=st.sampled_from("0123456789 .,/-:€<>ABCabcÄéß\n\t'№º٣²MrDr policy due 1 May 2027 DE89 P<UTO"),
        max_size=300,
    )
)
@settings(max_examples=int(os.environ.get("LIFEVAULT_TEST_FIELDS", "150")), deadline=None)
def test_any_text_gives_only_fields_that_stand_in_it(text):
    for language in ("en", "de"):
        fields_of(text, language)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("When does the passport run out?", "Date of expiry 20 January 2029", "Issued on 21 December 2021"),
        ("Wann läuft der Ausweis ab?", "Gültig bis 03.05.2029", "Ausgestellt am 03.05.2019"),
        ("What is the number of her passport?", "Passport number VB1598154", "Policy NA4799311"),
        ("How much do we pay ourselves?", "an excess of 250", "Yearly premium: 1,726"),
        ("What did the fridge cost?", "bought for 1,719", "Yearly premium: 1726, Rent: 500"),
        ("Whom do I ring when it breaks down?", "call 0478 916404", "Policy NA4799311"),
        ("Who is the landlord?", "Landlord: Meera Varlow", "Tenant: Orla Penhaligon"),
        ("What interest does it bear?", "Rate: 1.37 per cent", "18 per cent"),
    ],
)
def test_a_question_is_answered_by_a_field_of_its_kind_and_role(question, right, wrong):
    assert asked.answers(question, fields_of(right)) > 0.6
    assert asked.answers(question, fields_of(wrong)) < asked.answers(question, fields_of(right))


def test_a_question_for_something_else_is_answered_by_no_field():
    fields = fields_of("Passport number VB1598154. Date of expiry 20 January 2029. Yearly premium: 1,726")

    assert asked.answers("What is Ines allergic to?", fields) == 0
    assert asked.answers("?", fields) == 0
