"""Read a prompt: what it asks for, item by item, and how the items stand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Final

from app.domain.cache.guards import lexicon as lex
from app.domain.cache.guards.asides import without_asides
from app.domain.cache.guards.items import Item, Reading
from app.domain.cache.guards.numerals import canonical, combined
from app.domain.cache.guards.tokens import Kind, Token, fold, tokens_of
from app.domain.cache.guards.units import Unit, units_of

_LEADS: Final = frozenset({lex.WEAK, lex.FROM, lex.TO, lex.BY})
#: What keywords do without.
_FUNCTIONS: Final = _LEADS | {lex.DROP, lex.CUT, "ask", "rel"}
_SIGNS: Final = frozenset("/-&")
#: Questions that say what a part of a prompt is about; the others are about all of it.
_COMMAS: Final = frozenset({",", "\u3001", "\uff0c", "\u060c"})
_ENDS: Final = frozenset(".!?\n\u3002\uff01\uff1f")
_ANDS: Final = frozenset({"and", "et", "y", "e", "und"})
#: Negations that are prepositions.
_PREPOSED: Final = frozenset({"without", "except"})
_HEADS: Final = frozenset({"rel", "neg"})
#: Units behind an auxiliary in which a participle is passive.
_PASSIVE_REACH: Final = 6
_FRACTION_DIGITS: Final = 3
_EXPLAIN: Final = lex.Meaning("ask", "explain")
_CLAUSES: Final = frozenset({"when", "where", "who", "why", "how"})
_ORDINAL: Final = frozenset({"st", "nd", "rd", "th", "er", "eme", "e", "o", "a", "º", "ª"})


@dataclass(slots=True)
class _Reader:
    language: str
    words: lex.Lexicon
    units: list[Unit]
    mentions: bool
    items: list[Item] = field(default_factory=list)
    asks: set[str] = field(default_factory=set)
    tenses: set[str] = field(default_factory=set)
    lead: str = ""
    chunk: int = 0
    article: str = ""
    particle: Unit | None = None
    at: int = 0
    aux: int = 0  # units left in which a participle is passive
    series: int = 1
    joined: set[int] = field(default_factory=set)  # series with an "and" or an "or"
    persons: set[str] = field(default_factory=set)
    is_terse: bool = True
    is_about_words: bool = False
    pronouns: set[str] = field(default_factory=set)
    counts: bool = False  # there are numbers in it

    def add(self, kind: str, value: str, unit: Unit, *, single: bool = True) -> None:
        self.items.append(
            Item(
                kind,
                value,
                self.lead,
                self.chunk,
                unit.text,
                unit.is_name,
                self.article,
                self.at,
                self.aux > 0 and single and unit.word.endswith(self.words.participles),
                self.at > 0 and self.units[self.at - 1].word in self.words.subjects,
                self.series,
            )
        )
        self.article = ""
        self.particle = None

    def cut(self, lead: str = "", *, joins: bool = False) -> None:
        """A phrase ends; unless it `joins` what comes, so does the series."""
        if self.particle and self.lead == lex.BY and "who" in self.asks:
            self.particle = None  # "who was it written by"
        if self.particle:  # "turn it on": nothing comes behind the preposition
            word, self.particle = self.particle, None
            self.add("rel", word.word, word)
        self.chunk += 1
        self.lead = lead
        self.series += not joins


def read(tokens: tuple[Token, ...], words: lex.Lexicon) -> Reading:
    """What a prompt of these tokens says, by `words`, a lexicon."""
    units = units_of(tokens, words.endings)
    reader = _run(without_asides(units, words), words, mentions=False)
    if reader.is_about_words:
        reader = _run(units, words, mentions=True)
    if {"how", "can"} <= reader.asks:
        reader.asks = reader.asks - {"how", "can"} | {"howto"}
    return Reading(
        words.endings.language,
        _with_lists(reader, _without_adjectives(reader.items)),
        frozenset(reader.asks),
        frozenset(reader.tenses),
        tuple(sorted(_quoted(token) for token in tokens if token.kind is Kind.QUOTE)),
        frozenset(reader.persons),
        frozenset(reader.pronouns),
        is_terse=reader.is_terse,
        units=tuple(units),
        is_about_words=reader.mentions,
    )


def _run(units: list[Unit], words: lex.Lexicon, *, mentions: bool) -> _Reader:
    reader = _Reader(words.endings.language, words, units, mentions)
    reader.counts = any(unit.kind is Kind.NUMBER for unit in units)
    at = 0
    while at < len(units):
        read_now = _step(reader, at)
        _watch(reader, at, read_now)
        at += read_now
    reader.cut()
    return reader


def _watch(reader: _Reader, at: int, count: int) -> None:
    """Notice auxiliaries of the passive and where sentences end."""
    reader.at = at + count
    reader.aux = max(0, reader.aux - count)
    for unit in reader.units[at : at + count]:
        if unit.word in reader.words.passive:
            reader.aux = _PASSIVE_REACH
            _passive_before(reader)
        if unit.kind is Kind.STOP and set(unit.text) & _ENDS:
            reader.aux = 0


def _passive_before(reader: _Reader) -> None:
    """Of "gesperrt werden", the auxiliary follows the participle."""
    last = reader.items[-1] if reader.items else None
    if last and last.at == reader.at - 2 and fold(last.text).endswith(reader.words.participles):
        reader.items[-1] = replace(last, is_passive=True)


def _without_adjectives(items: list[Item]) -> list[Item]:
    """A participle right before a noun is none of a verb: "a completed order"."""
    return [
        replace(item, is_passive=False)
        if item.is_passive and after and after.at == item.at + 1 and after.chunk == item.chunk
        else item
        for item, after in zip_longest(items, items[1:])
    ]


def _with_lists(reader: _Reader, items: list[Item]) -> tuple[Item, ...]:
    """The words of a list all stand behind its preposition; a series without "and" is no list."""
    leads: dict[int, str] = {}
    for item in items:
        leads.setdefault(item.listed, item.lead)
    return tuple(
        replace(item, lead=leads[item.listed])
        if item.listed in reader.joined
        else replace(item, listed=0)
        for item in items
    )


def _quoted(token: Token) -> str:
    return " ".join(part.folded for part in tokens_of(token.text[1:-1]) if part.kind != Kind.STOP)


def _step(reader: _Reader, at: int) -> int:
    unit = reader.units[at]
    if unit.kind is Kind.NUMBER:
        return _number(reader, at)
    if unit.kind in {Kind.WORD, Kind.OPERATOR}:
        return _phrase(reader, at)
    _other(reader, unit)
    return 1


def _other(reader: _Reader, unit: Unit) -> None:
    if unit.kind is Kind.STOP:
        is_comma = unit.text.strip() in _COMMAS
        reader.cut(joins=is_comma and reader.series not in reader.joined)
    elif unit.kind is Kind.QUOTE:
        for part in units_of(tokens_of(unit.text[1:-1]), reader.words.endings):
            if part.kind is not Kind.STOP:
                reader.add("w", part.stem, part)
    elif unit.kind is Kind.CLOCK:
        reader.add("time", _clock(unit.word), unit)
    elif unit.kind is Kind.DATE:
        _date(reader, unit)
    else:
        reader.add(unit.kind.name.lower(), unit.text.strip("`"), unit)


def _clock(text: str) -> str:
    digits = [int(part) for part in "".join(c if c.isdigit() else " " for c in text).split()]
    hour = digits[0] % 12 + 12 * ("p" in text) if "m" in text else digits[0]
    return f"{hour}:{':'.join(f'{part:02}' for part in digits[1:]) or '00'}"


def _date(reader: _Reader, unit: Unit) -> None:
    parts = [int(part) for part in unit.text.replace(".", "-").split("-")]
    year, month, day = parts if "-" in unit.text else parts[::-1]
    reader.add("number", str(year), unit)
    reader.add("time", f"m{month}", unit)
    reader.add("number", str(day), unit)


def _number(reader: _Reader, at: int) -> int:
    units = reader.units
    unit = units[at]
    after = units[at + 1] if at + 1 < len(units) else None
    if after and after.kind is Kind.WORD and after.glued:
        if after.word in _ORDINAL:
            reader.add("ord", unit.text, unit)
            return 2
        if not _symbol(reader, at + 1):
            return _merged(reader, at)
    return _numbers(reader, at)


def _merged(reader: _Reader, at: int) -> int:
    """A number and letters that are no unit: 2FA, 3D, 4xx."""
    known = reader.words.longest(reader.units, at)
    if known:
        reader.add(known[1].kind, known[1].value, reader.units[at])
        return known[0]
    reader.add("w", reader.units[at].word + reader.units[at + 1].word, reader.units[at])
    return 2


def _symbol(reader: _Reader, at: int) -> tuple[int, lex.Meaning] | None:
    found = reader.words.longest(reader.units, at)
    if found and found[1].kind in {"unit", "cur", "number", "time"}:
        return found
    return reader.words.symbol(reader.units, at)


def _numbers(reader: _Reader, at: int) -> int:
    """A number of digits and words, a fraction, and the symbol of a unit behind it."""
    values: list[str] = []
    end = at
    while end < len(reader.units):
        if values and values[-1].startswith("x") and _adds(reader, end):
            end += 1
        value = _value(reader, end)
        if value is None or (values and not _continues(values[-1], value[1])):
            break
        values.append(value[1])
        end += value[0]
    number = combined(values) if values else reader.units[at].word
    end = max(end, at + 1)
    under = reader.units[end : end + 2]
    if len(under) > 1 and under[0].word == "/" and under[1].kind is Kind.NUMBER:
        number, end = _fraction(number, under[1].word), end + 2
    reader.add("number", number, reader.units[at])
    return end - at


def _adds(reader: _Reader, at: int) -> bool:
    """Whether an "and" stands between number words: two hundred and five."""
    joins = reader.units[at].word in _ANDS and at + 1 < len(reader.units)
    return joins and _value(reader, at + 1) is not None


def _fraction(over: str, under: str) -> str:
    """A decimal, if no other fraction of numbers as small has the same."""
    if max(len(over), len(under)) > _FRACTION_DIGITS:
        return f"{over}/{under}"
    try:
        return f"{float(over) / float(under):.6g}"
    except (ValueError, ZeroDivisionError):
        return f"{over}/{under}"


def _continues(before: str, value: str) -> bool:
    """Whether number words make one number: "20 x1000 5", but not "3 4"."""
    if value.startswith("x"):
        return True
    return before.startswith("x") or (before.endswith("0") and len(before) == 2 and len(value) == 1)  # noqa: PLR2004 - tens before ones


def _value(reader: _Reader, at: int) -> tuple[int, str] | None:
    if reader.units[at].kind is Kind.NUMBER:
        return 1, canonical(reader.units[at].text, reader.language)
    found = reader.words.longest(reader.units, at)
    return (found[0], found[1].value) if found and found[1].kind == "number" else None


def _phrase(reader: _Reader, at: int) -> int:
    unit = reader.units[at]
    found = reader.words.longest(reader.units, at)
    if unit.stem in reader.words.mentions and not (found and found[1].kind == lex.DROP):
        reader.is_about_words = True
    if unit.starts and not reader.asks and _begins_whether(reader, unit, found):
        reader.asks.add("whether")
    if found and found[1].kind == "number":
        return _numbers(reader, at)
    if _behind_number(reader, at):
        symbol = reader.words.symbol(reader.units, at)
        found = symbol if symbol and (unit.glued or not _is_word(found)) else found
    if found:
        _mean(reader, found[1], unit, [each.word for each in reader.units[at : at + found[0]]])
        return found[0]
    if unit.kind is Kind.WORD:
        reader.add("w", unit.stem, unit)
    elif unit.text in _SIGNS:
        reader.cut()
    else:
        reader.add("code", unit.text, unit)
    return 1


def _begins_whether(reader: _Reader, unit: Unit, found: tuple[int, lex.Meaning] | None) -> bool:
    """Whether a yes-or-no question begins; "could you tell me" and "can you explain" begin none."""
    is_courtesy = (
        found is not None and found[0] > 1 and (found[1].kind == lex.DROP or found[1] == _EXPLAIN)
    )
    return unit.word in reader.words.whether and not is_courtesy


def _is_word(found: tuple[int, lex.Meaning] | None) -> bool:
    """Whether a phrase is one in its own right even behind a number: "2 in 3", not "2 m"."""
    return found is not None and found[1].kind in {*_LEADS, lex.DROP, lex.CUT}


def _behind_number(reader: _Reader, at: int) -> bool:
    before = reader.units[at - 1] if at else None
    return before is not None and (before.kind is Kind.NUMBER or before.text == "/")


def _mean(reader: _Reader, meaning: lex.Meaning, unit: Unit, words: list[str]) -> None:
    kind, value = meaning.kind, meaning.value
    if kind == "compute":
        kind, value = (lex.DROP, "") if reader.counts else ("w", " ".join(words))
    reader.is_terse = reader.is_terse and kind not in _FUNCTIONS
    _see_persons(reader, kind, words)
    if (kind == "ask" or len(words) == 1) and not reader.words.present.isdisjoint(words):
        reader.tenses.add("present")
    if kind == lex.DROP:
        _dropped(reader, unit, words)
    elif kind in _LEADS:
        reader.cut(f"{kind}:{words[-1]}" if kind == lex.WEAK else kind)
        reader.particle = unit if len(words) == 1 else None
    elif kind in {"ask", "tense", lex.CUT}:
        _frame(reader, kind, value)
    else:
        _say(reader, lex.Meaning(kind, value), unit, single=len(words) == 1)


def _frame(reader: _Reader, kind: str, value: str) -> None:
    if kind == "tense":
        reader.tenses.add(value)
    elif kind == "ask":
        reader.asks.add(value)
        reader.cut(value if value in _CLAUSES else "")
    else:
        reader.cut(reader.lead, joins=True)
        reader.joined.add(reader.series)


def _say(reader: _Reader, meaning: lex.Meaning, unit: Unit, *, single: bool) -> None:
    if meaning.kind == "rel" or meaning.value in _PREPOSED:
        reader.cut(meaning.value)
    reader.add(meaning.kind, meaning.value, unit, single=single)
    if meaning == lex.Meaning("w", "or"):
        _frame(reader, lex.CUT, "")


def _see_persons(reader: _Reader, kind: str, words: list[str]) -> None:
    """Whether it is "I" who does something, or it is done to "me"."""
    if len(words) == 1:
        reader.pronouns |= reader.words.pronouns & set(words)
    if kind == "ask" or len(words) == 1:
        if not reader.words.subjects.isdisjoint(words):
            reader.persons.add("subject")
        if not reader.words.objects.isdisjoint(words):
            reader.persons.add("object")


def _spoken(reader: _Reader) -> bool:
    """Whether anything but its preposition has been said in the phrase that is read."""
    last = reader.items[-1]
    return last.chunk == reader.chunk and last.kind not in _HEADS


def _dropped(reader: _Reader, unit: Unit, words: list[str]) -> None:
    reader.article = words[-1]
    is_auxiliary = not (reader.words.present | reader.words.passive).isdisjoint(words)
    begins = len(words) == 1 and reader.lead and not is_auxiliary
    if begins and reader.items and _spoken(reader):
        reader.cut(joins=True)  # "in June my contract": a new phrase begins
    if reader.mentions:
        reader.add("courtesy", " ".join(words), unit)
