"""Check digits: small sums that tell a number that was read right from one that was not."""

import re

# ISO 13616: how long an IBAN is, by country.
_IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FO", "GL", "NL"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "LT", "LU", "XK"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
}
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_iban(value: str) -> bool:
    """Whether the length fits the country and the remainder is 1 (ISO 13616, ISO 7064 MOD 97-10)."""
    if _IBAN_LENGTHS.get(value[:2]) != len(value) or not value.isalnum() or not value.isascii():
        return False
    return int("".join(str(int(each, 36)) for each in value[4:] + value[:4])) % 97 == 1


def iban_length(country: str) -> int | None:
    """How long the IBAN of a country is."""
    return _IBAN_LENGTHS.get(country)


def is_luhn(digits: str) -> bool:
    """Whether the check digit of a card number fits (ISO/IEC 7812-1, annex B)."""
    if not digits.isdecimal() or not digits.isascii():
        return False
    doubled = [int(each) * 2 for each in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(each - 9 * (each > 9) for each in doubled)) % 10 == 0


def icao_digit(data: str) -> int:
    """The check digit of a field of a machine-readable zone (ICAO 9303, part 3, section 4.9)."""
    values = (0 if each == "<" else int(each, 36) for each in data)
    return sum(value * (7, 3, 1)[at % 3] for at, value in enumerate(values)) % 10


def is_vin(value: str) -> bool:
    """Whether the check digit of a vehicle fits (ISO 3779, 49 CFR 565); European makers leave it out."""
    if not re.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", value):
        return False
    total = sum(
        weight * (int(each) if each.isdecimal() else _VIN_VALUES[each])
        for weight, each in zip(_VIN_WEIGHTS, value, strict=True)
    )
    return value[8] == "0123456789X"[total % 11]


def is_spanish_id(value: str) -> bool:
    """Whether the letter of a Spanish DNI or NIE fits (Real Decreto 1553/2005, article 11)."""
    if not re.fullmatch(r"[XYZ]?\d{7,8}[A-Z]", value):
        return False
    digits = value[:-1].translate(str.maketrans("XYZ", "012"))
    return len(digits) == 8 and _DNI_LETTERS[int(digits) % 23] == value[-1]


def is_french_social(value: str) -> bool:
    """Whether the key of a French social security number (NIR) fits: 97 minus the remainder."""
    if not re.fullmatch(r"[12]\d{4}(?:\d{2}|2[AB])\d{8}", value):
        return False
    digits = value[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(digits) % 97 == int(value[13:])


def is_german_tax_id(value: str) -> bool:
    """Whether the last digit of a German tax identification number fits (§ 139b AO; ISO 7064 MOD 11,10)."""
    if not re.fullmatch(r"[1-9]\d{10}", value):
        return False
    product = 10
    for each in value[:10]:
        total = (int(each) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(value[10])
