"""Prompts that differ in hardly a word."""

from __future__ import annotations

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.lexicon import lexicon
from app.domain.cache.guards.minimal import differs
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.tokens import tokens_of
from app.domain.cache.guards.units import units_of


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    return load_phrasebook()


def differ(book: Phrasebook, language: str, left: str, right: str) -> bool:
    words = lexicon(book, language)
    one, other = (units_of(tokens_of(text), words.endings) for text in (left, right))
    assert differs(one, other, words) is differs(other, one, words)
    return differs(one, other, words)


@pytest.mark.parametrize(
    ("language", "left", "right"),
    [
        ("en", "Is the cat in the box?", "Is the cat on the box?"),
        ("en", "How do I get into it?", "How do I get to it?"),
        ("en", "Only I told her", "I only told her"),
        ("en", "How many people live here", "how many people lived here"),
        ("en", "What has it bought?", "What will it buy?"),
        ("en", "Could I have won?", "Could I win?"),
        ("en", "If A then B. B. Is A so?", "If A then B. A. Is B so?"),
        ("en", "How many kB in a MB?", "How many kb in a Mb?"),
        ("en", "Is 5 MW much", "Could you say whether 5 mW is much"),
        ("en", "Say it in Polish: polish", "Say it in polish: Polish"),
        ("de", "Was ist im Haus?", "Was ist am Haus?"),
        ("de", "Was kostet das für sie?", "Was kostet das für Sie?"),
        ("fr", "Est-ce dans la boîte ?", "Est-ce sur la boîte ?"),
        ("fr", "Je n'ai plus d'argent", "J'ai plus d'argent"),
        ("fr", "Personne ne vient", "Une personne vient"),
        ("fr", "Dois-je payer ?", "Dois-tu payer ?"),
        ("es", "¿Cuántos años tienes?", "¿Cuántos anos tienes?"),
        ("es", "Él es listo", "Él está listo"),
        ("es", "¿Me has pagado?", "¿Te he pagado?"),
        ("pt", "Você me deve dinheiro?", "Eu te devo dinheiro?"),
        ("sv", "Hur stiger jag på bussen?", "Hur stiger jag av bussen?"),
        ("", "Hvordan slår jeg på lyden?", "Hvordan slår jeg av lyden?"),
        ("ru", "Учитель ударил ученика", "Учителя ударил ученик"),
        ("ru", "Казнить нельзя, помиловать", "Казнить, нельзя помиловать"),
        ("ko", "학교에 가는 길", "학교에서 가는 길"),
        ("ko", "철수가 영희를 때렸다", "철수를 영희가 때렸다"),
        ("ja", "犬が猫を追いかけた", "犬を猫が追いかけた"),
    ],
)
def test_what_one_word_was_changed_for_counts(
    book: Phrasebook, language: str, left: str, right: str
) -> None:
    """Places, persons, tenses, cases, accents, capitals and order."""
    assert differ(book, language, left, right)


@pytest.mark.parametrize(
    ("language", "left", "right"),
    [
        ("en", "How do I reset my Netflix password?", "how do i reset my netflix password"),
        ("en", "Compare red and blue paint now", "Compare blue and red paint now"),
        ("en", "password reset", "reset password"),
        ("en", "Which plants are toxic?", "Which plant is toxic?"),
        ("es", "¿Cómo pago?", "como pago"),
        ("de", "Wie groß ist München?", "Wie gross ist Muenchen?"),
        ("en", "Is the parcel in the shop?", "Where, in which shop, is the parcel?"),
        ("ko", "이름은 무엇", "이름이 무엇"),
    ],
)
def test_habits_of_writing_do_not_count(
    book: Phrasebook, language: str, left: str, right: str
) -> None:
    """Typed in lower case, without accents, as keywords, or told in other words."""
    assert not differ(book, language, left, right)
