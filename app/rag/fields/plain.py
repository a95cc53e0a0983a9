"""A text made plain for looking words up in it: the same length, so that every place stays what it is."""

import unicodedata

_SPACES = "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u00b4`"


class _Table(dict[int, int]):
    """One plain character for each character, found when it is first met."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        base = unicodedata.normalize("NFKD", character)[0].lower() if character.isalpha() else character
        self[code] = ord(base) if len(base) == 1 else code
        return self[code]


_TABLE = _Table(
    {ord(each): ord(" ") for each in _SPACES}
    | {ord(each): ord("-") for each in _DASHES}
    | {ord(each): ord("'") for each in _APOSTROPHES}
)


def plain(text: str) -> str:
    """Lower case without accents, with simple spaces, dashes and apostrophes; line ends stay."""
    return text.translate(_TABLE)
