"""Words to make answers of: each is one token, with the space before it, in both vocabularies."""

from __future__ import annotations

from random import Random
from typing import Final

_OPENER_LIST: Final = """
The A This Each Most Some When While After Every Many One In On It They We There Another
"""
_OPENERS: Final = tuple(_OPENER_LIST.split())
_WORD_LIST: Final = """
a about across after again against all almost along also always among and another answer any are
area around as ask at available away back base be because become been before begin being below
best better between both bring build but by call can carry case cause change check city clear
close code color come common complete consider control could country course cover create current
cut data day decide deep describe design detail develop did different direct do does done down
draw during each early east easy effect either end energy enough even ever every example expect
explain face fact fall family far fast few field figure fill final find first five follow food
for force form four free friend from full game general get give go good great ground group grow
had half hand happen hard has have he head help her here high him his hold home hour house how
however human idea if important in increase inside into is it its join just keep kind know land
language large last late later lead learn leave left less let level life light like line list
little live local long look low made main make many map mark matter may mean measure meet might
mind minute model month more most mountain move much music must name near need never new next
night no north note nothing now number object of off often old on once one only open or order
other our out over own page paper part pass past path pattern people perhaps person picture
place plain plan plant play point possible power present press problem process produce program
public pull question quick quite rain reach read real reason record region remain remember
result return right rise river road rock room round rule run said same save say school science
sea second see seem self send sentence serve set several shape she short should show side simple
since single size sky small so some something song soon sound south space special stand star
start state stay step still stop story street strong study such sun sure system table take talk
tell ten test than that the their them then there these they thing think this those though three
through time to together too took top toward town travel tree true try turn two under unit until
up upon use usual value very voice wait walk want warm was watch water way we week weight well
went were west what when where which while white who whole why will wind with within without
wonder word work world would write year yet you young
"""
_WORDS: Final = tuple(_WORD_LIST.split())


def prose(tokens: int, rng: Random) -> list[str]:
    """Sentences of exactly `tokens` tokens, cut into those tokens."""
    pieces: list[str] = []
    while len(pieces) < tokens:
        pieces += _sentence(rng, space=" " if pieces else "")
    return pieces[:tokens]


def phrase(words: int, rng: Random) -> str:
    """A few words without punctuation."""
    return " ".join(rng.choices(_WORDS, k=words))


def _sentence(rng: Random, *, space: str) -> list[str]:
    words = rng.choices(_WORDS, k=rng.randint(5, 13))
    return [space + rng.choice(_OPENERS), *(" " + word for word in words), "."]
