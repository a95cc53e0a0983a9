"""Names of months in the languages that dates are read in, as `plain` writes them."""

from typing import Final

_NAMES: Final = (
    "january jan januar janner jaenner janvier janv enero ene gennaio gen januari janeiro jan",
    "february feb febr februar fevrier fevr fev febrero febbraio februari fevereiro",
    "march mar marz maerz mrz mars marzo maart mrt marco",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag mei maio",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug aout agosto ago augustus",
    "september sep sept septembre septiembre set setiembre settembre setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez decembre diciembre dic dicembre dezembro",
)
MONTHS: Final = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
MONTH: Final = "|".join(sorted(MONTHS, key=len, reverse=True))
