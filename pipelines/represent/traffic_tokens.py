"""Traffic tokens: pieces of traffic text that a tokenizer takes for one token each.

They are learned by byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) on traffic text,
then added to the tokenizer of any base model. Each holds a sign that only traffic text has, so none
can match in an instruction.
"""

from collections.abc import Iterable, Iterator, Sequence

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from pipelines.represent.traffic_text.symbols import (
    BACK,
    BRAILLE,
    CUT,
    EITHER,
    FLAGS,
    FORTH,
    GAP,
    bytes_text,
)

BYTES = bytes_text(bytes(range(256)))
# Every text of packets can be written with these, whatever was learned.
SIGNS = (FORTH, BACK, EITHER, GAP, *BYTES)
# A token ends where a packet's head, its gap or a run of its payload ends.
_PIECES = Regex(
    rf"[{FORTH}{BACK}{EITHER}]\d*[{FLAGS}]*|{GAP}[\d.]+[ums]|[{BYTES[0]}-{BYTES[-1]}]+{CUT}?"
)
LONGEST = 16  # signs of a token

# A pair of random bytes is met about once in 65,536 places: below this, encrypted payload would
# teach pairs that mean nothing.
LEAST_COUNT = 20


def learn_tokens(texts: Iterable[str], size: int, least: int = LEAST_COUNT) -> list[str]:
    """At most ``size`` traffic tokens, the signs first, then what was learned, most useful first.

    A piece is learned if it occurs ``least`` times or more in ``texts``. Equal lines count once:
    replayed flows teach nothing new. The same texts give the same tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Split(_PIECES, "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=size + 128,  # digits, letters and the words of a text are not counted
        min_frequency=least,
        show_progress=False,
        max_token_length=LONGEST,
        initial_alphabet=list(SIGNS),
    )
    tokenizer.train_from_iterator(_distinct(texts), trainer)
    by_rank = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    learned = [token for token, _ in by_rank if is_traffic(token) and token not in SIGNS]
    return [*SIGNS, *learned][: max(size, len(SIGNS))]


def is_traffic(token: str) -> bool:
    """Whether a token holds a sign that only traffic text has."""
    return any(sign in _SIGN_SET for sign in token)


_SIGN_SET = frozenset(SIGNS)


def _distinct(texts: Iterable[str]) -> Iterator[str]:
    seen: set[int] = set()
    for text in texts:
        if (mark := hash(text)) not in seen:
            seen.add(mark)
            yield text


def payload_bytes(tokens: Sequence[str]) -> int:
    """How many payload bytes some tokens stand for."""
    return sum(BRAILLE <= ord(sign) < BRAILLE + 256 for token in tokens for sign in token)
