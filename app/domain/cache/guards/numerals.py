"""Numbers: digits with separators, and number words up to 99 in seven languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

#: 0 to 20, then the tens from 30 to 90, without accents.
_WORDS: Final = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety",
    "de": "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn "
    "funfzehn sechzehn siebzehn achtzehn neunzehn zwanzig dreissig vierzig funfzig sechzig siebzig "
    "achtzig neunzig",
    "fr": "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
    "seize dix-sept dix-huit dix-neuf vingt trente quarante cinquante soixante soixante-dix "
    "quatre-vingt quatre-vingt-dix",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
    "quince dieciseis diecisiete dieciocho diecinueve veinte treinta cuarenta cincuenta sesenta "
    "setenta ochenta noventa",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
    "quattordici quindici sedici diciassette diciotto diciannove venti trenta quaranta cinquanta "
    "sessanta settanta ottanta novanta",
    "pt": "zero um dois tres quatro cinco seis sete oito nove dez onze doze treze catorze quinze "
    "dezesseis dezessete dezoito dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta "
    "noventa",
    "nl": "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien "
    "vijftien zestien zeventien achttien negentien twintig dertig veertig vijftig zestig zeventig "
    "tachtig negentig",
}
_ARTICLES: Final = frozenset({"een", "um"})
#: Words that multiply what is before them.
SCALES: Final = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "millions": 10**6,
    "hundert": 100, "tausend": 1000, "millionen": 10**6, "milliarde": 10**9, "milliarden": 10**9,
    "cent": 100, "cents": 100, "mille": 1000, "milliard": 10**9, "milliards": 10**9,
    "cien": 100, "ciento": 100, "mil": 1000, "millon": 10**6, "millones": 10**6,
    "cento": 100, "mila": 1000, "milione": 10**6, "milioni": 10**6, "milhao": 10**6,
    "honderd": 100, "duizend": 1000, "miljoen": 10**6,
}  # fmt: skip
_SCALES_OF: Final = {
    "en": "hundred thousand million billion millions",
    "de": "hundert tausend million millionen milliarde milliarden",
    "fr": "cent cents mille million millions milliard milliards",
    "es": "cien ciento mil millon millones",
    "it": "cento mille mila milione milioni",
    "pt": "cem cento mil milhao",
    "nl": "honderd duizend miljoen",
}
_JOINTS: Final = {
    "en": ("{ten} {one}",), "de": ("{one}und{ten}",), "nl": ("{one}en{ten}",),
    "fr": ("{ten} {one}", "{ten} et {one}"), "es": ("{ten} y {one}", "veinti{one}"),
    "it": ("{ten}{one}",), "pt": ("{ten} e {one}",),
}  # fmt: skip
_SEPARATED: Final = re.compile(r"[.,'\u066b\u066c ]")
_GROUPED: Final = re.compile(r"\d{1,3}(?:[.,'\u066b\u066c ]\d{3})+")
_TENS: Final = 20
#: Characters of a number that is computed with: a Decimal rounds beyond 28 digits.
_MOST_DIGITS: Final = 24
#: Languages that write 1.000 for a thousand.
_POINT_GROUPS: Final = frozenset({"de", "es", "it", "pt", "nl", "fr", "tr", "pl", "sv"})


def number_phrases(language: str) -> Iterator[tuple[str, str]]:
    """Each word of `language` for a number below 100, or one that multiplies, with its value."""
    words = _WORDS.get(language, "").split()
    for value, word in enumerate(words[: _TENS + 1]):
        if word not in _ARTICLES and not (value == 1 and language in {"fr", "es", "it"}):
            yield word, str(value)
    for tens, ten in enumerate(words[_TENS:], 2):
        yield ten, str(tens * 10)
        yield from _compounds(language, tens, ten, words)
    for word in _SCALES_OF.get(language, "").split():
        yield word, f"x{SCALES.get(word, 100)}"


def _compounds(language: str, tens: int, ten: str, words: list[str]) -> Iterator[tuple[str, str]]:
    ones = range(1, 20) if language == "fr" and tens in {6, 8} else range(1, 10)
    for value in ones:
        one = "ein" if language == "de" and value == 1 else words[value]
        for joint in _JOINTS[language]:
            if not joint.startswith("veinti") or tens == 2:  # noqa: PLR2004 - twenty
                yield joint.format(ten=ten, one=one), str(tens * 10 + value)


def canonical(text: str, language: str) -> str:
    """`text`, digits with separators, as one way to write the number: 1000, 0.5."""
    plain = _without_groups(text, language)
    if len(plain) > _MOST_DIGITS:
        return plain
    try:
        number = Decimal(plain)
    except InvalidOperation:
        return text
    return shown(number)


def _without_groups(text: str, language: str) -> str:
    marks = _SEPARATED.findall(text)
    if not marks:
        return text
    last = marks[-1]
    if len(set(marks)) == 1 and _GROUPED.fullmatch(text) and _groups(last, len(marks), language):
        return _SEPARATED.sub("", text)
    head, _, tail = text.rpartition(last)
    return _SEPARATED.sub("", head) + "." + tail


def _groups(mark: str, count: int, language: str) -> bool:
    if count > 1 or mark not in ".,":
        return True
    return (mark == ".") == (language in _POINT_GROUPS)


def combined(values: list[str]) -> str:
    """One number of number words and digits that follow each other: 20 x1000 5 is 20005."""
    if any(len(value) > _MOST_DIGITS for value in values):
        return " ".join(values)
    total = current = Decimal(0)
    for value in values:
        if not value.startswith("x"):
            current += Decimal(value)
        elif value == "x100":
            current = (current or Decimal(1)) * 100
        else:
            total += (current or Decimal(1)) * int(value[1:])
            current = Decimal(0)
    return shown(total + current)


def shown(number: Decimal) -> str:
    """`number` as one way to write it, without an exponent or zeros at its end."""
    return format(number.normalize(), "f") if number else "0"
