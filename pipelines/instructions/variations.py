"""The same instruction as people in a hurry, and people of other languages, write it."""

import re
from collections.abc import Callable
from random import Random

Variation = Callable[[str, Random], str]

_LONG_WORD = re.compile(r"[A-Za-z]{5,}")
_ARTICLE = re.compile(r"\b(?:the|an?) (?=\w)", re.IGNORECASE)
_COPULA = re.compile(r"\b(?:is|are|was|were|am) (?=\w)", re.IGNORECASE)
_FILLER = re.compile(
    r"\b(?:please|kindly|hello|hi|i|you|we|me|us|my|our|your|could|would|can|may|will|it|do|does|"
    r"the|an?|is|are|was|were|to|of|that|there) ",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"(?P<please>(?:please |kindly )?)"
    r"(?P<verb>check|analy[sz]e|examine|inspect|review|classify|identify|determine|detect|decide|"
    r"find out|tell me|name|say|report|state|confirm|judge|explain|perform|run|carry out|look for|"
    r"look at|search|spot|recognise|separate|generate|create|produce|simulate|synthesi[sz]e|"
    r"imitate|write|make|compute|plan|give me) (?P<rest>.+)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\b(?P<begin>whether|which|what|if|that)\b(?P<middle>[^,.;:?!]*?) "
    r"(?P<verb>is|are|was|belongs|comes|came|contains|carries|hides|holds|shows|generated|produced|"
    r"caused|made|sent) (?P<rest>[^,.;:?!]+)",
    re.IGNORECASE,
)
_TOPIC = re.compile(
    r"\b(?:this|these|those|my|the (?:following|attached|given)) (?:\w+ )?"
    r"(?:traffic|packets|capture|recording|session|trace|flows?|requests?|data|pcap)\b",
    re.IGNORECASE,
)
_ADJECTIVE = re.compile(
    r"\b(malicious|encrypted|anonymous|suspicious|synthetic|harmful|normal|benign|new|old|specific|"
    r"artificial|realistic|infected|hidden|unknown) "
    r"(traffic|flows?|packets?|activity|applications?|apps?|software|programs?|communication|"
    r"connections?|sessions?|behaviou?r|websites?|hosts?|machines?|data|samples?|channels?|"
    r"requests?|DoH|DNS)\b",
    re.IGNORECASE,
)


def swapped_letters(text: str, random: Random) -> str:
    """Two neighbouring letters inside one long word change places."""
    return _misspelt(text, random, lambda pair: pair[::-1])


def dropped_letter(text: str, random: Random) -> str:
    """One long word lacks a letter."""
    return _misspelt(text, random, lambda pair: pair[0])


def doubled_letter(text: str, random: Random) -> str:
    """One long word has a letter twice."""
    return _misspelt(text, random, lambda pair: pair[0] + pair)


def many_typos(text: str, random: Random) -> str:
    """Three slips of the fingers."""
    for slip in random.choices((swapped_letters, dropped_letter, doubled_letter), k=3):
        text = slip(text, random)
    return text


def lower_case(text: str, _: Random) -> str:
    """No capitals."""
    return text.lower()


def upper_case(text: str, _: Random) -> str:
    """Capitals only."""
    return text.upper()


def without_punctuation(text: str, _: Random) -> str:
    """No commas, stops or colons; those inside of words (``TLS 1.3``) stay."""
    return re.sub(r"[.,;:?!]+(?=\s|$)", "", text)


def without_articles(text: str, _: Random) -> str:
    """As speakers of languages without articles write."""
    return _begun(_ARTICLE.sub("", text), text)


def slavic(text: str, random: Random) -> str:
    """Neither articles nor the verb "to be"."""
    return _begun(_COPULA.sub("", without_articles(text, random)), text)


def telegram(text: str, _: Random) -> str:
    """Only the words that carry weight."""
    return _begun(_FILLER.sub("", text), text)


def romance(text: str, _: Random) -> str:
    """Adjectives behind their nouns."""
    return _ADJECTIVE.sub(r"\2 \1", text)


def german(text: str, _: Random) -> str:
    """Verbs at the ends of clauses and of orders."""
    return _by_sentence(text, lambda words: _order_last(_CLAUSE.sub(_verb_last, words)))


def topic_first(text: str, _: Random) -> str:
    """What a sentence is about comes first, as in Japanese."""
    return _by_sentence(text, _topic_first)


VARIATIONS: tuple[Variation, ...] = (
    swapped_letters,
    dropped_letter,
    doubled_letter,
    many_typos,
    lower_case,
    upper_case,
    without_punctuation,
    without_articles,
    slavic,
    telegram,
    romance,
    german,
    topic_first,
)


def _misspelt(text: str, random: Random, change: Callable[[str], str]) -> str:
    """``change`` of two letters inside one word of five or more, never of its first or last."""
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return text
    word = random.choice(words)
    place = random.randrange(word.start() + 1, word.end() - 2)
    return text[:place] + change(text[place : place + 2]) + text[place + 2 :]


def _begun(text: str, model: str) -> str:
    """``text``, which begins with a capital if ``model`` does."""
    return text[:1].upper() + text[1:] if model[:1].isupper() else text


def _by_sentence(text: str, change: Callable[[str], str]) -> str:
    """Each sentence with its words changed and its last sign where it was."""
    changed = []
    for sentence in re.split(r"(?<=[.?!])\s+", text):
        words = sentence.rstrip(".?!:")
        changed.append(_begun(change(words), words) + sentence[len(words) :])
    return " ".join(changed)


def _verb_last(clause: re.Match[str]) -> str:
    return f"{clause['begin']}{clause['middle']} {clause['rest']} {clause['verb']}"


def _order_last(words: str) -> str:
    if not (order := _ORDER.fullmatch(words)):
        return words
    return f"{order['please']}{order['rest']} {order['verb'].lower()}"


def _topic_first(words: str) -> str:
    if not (topic := _TOPIC.search(words)) or topic.start() == 0:
        return words
    before, after = words[: topic.start()].rstrip(), words[topic.end() :]
    if not before.startswith("I "):
        before = before[0].lower() + before[1:]
    return f"{topic[0]}, {before}{after}"
