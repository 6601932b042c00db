"""What a traffic language model is asked: which task, about which traffic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from pipelines.models.traffic_lm.vocabulary import ANSWER, TRAFFIC, task_token
from pipelines.represent.traffic_text import Budget, RowText, within


@dataclass(frozen=True)
class Prompts:
    """Prompts for one tokenizer.

    Traffic is asked about as ``<task> <|traffic|> text <|answer|>``, an instruction as
    ``instruction <|answer|>``, each after the token that begins a text where there is one. The mark
    before the answer is always there: what is too long is shortened before it is joined.
    """

    tokenizer: PreTrainedTokenizerBase

    def head(self, task: str) -> list[int]:
        """The tokens that all rows of a task begin with."""
        return [*self._begin(), *self._marks(task_token(task), TRAFFIC)]

    def traffic(self, rows: Iterable[RowText], most_tokens: int) -> list[list[int]]:
        """What follows ``head`` for each row: its text in at most ``most_tokens`` and the mark."""
        texts = within(list(rows), Budget(most_tokens, self.count))
        return [[*tokens, *self._marks(ANSWER)] for tokens in self._encode(texts)]

    def instructions(self, texts: Sequence[str], most_tokens: int) -> list[list[int]]:
        """The tokens of instructions; of one that is too long, its middle is left out."""
        # A person may write the name of a mark; it stays words.
        encoded = self._encode([text.replace("<|", "< |") for text in texts])
        marks = self._marks(ANSWER)
        return [[*self._begin(), *_ends(tokens, most_tokens), *marks] for tokens in encoded]

    def whole(self, rows: Iterable[RowText], most_tokens: int) -> list[list[int]]:
        """Traffic texts to be learned token by token, each with its beginning and its end."""
        texts = within(list(rows), Budget(most_tokens, self.count))
        end = self.tokenizer.eos_token_id
        before, after = [*self._begin(), *self._marks(TRAFFIC)], [] if end is None else [end]
        return [[*before, *tokens, *after] for tokens in self._encode(texts)]

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text costs."""
        return [len(tokens) for tokens in self._encode(texts)]

    def marks(self, *names: str) -> list[int]:
        """The numbers of tokens that were added by name."""
        return self._marks(*names)

    def _marks(self, *names: str) -> list[int]:
        return [int(number) for number in self.tokenizer.convert_tokens_to_ids(list(names))]

    def _begin(self) -> list[int]:
        begin = self.tokenizer.bos_token_id
        return [] if begin is None else [begin]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False)
        return list(encoded["input_ids"])


def _ends(tokens: list[int], most: int) -> list[int]:
    """The beginning and the end of tokens that are too many: a request stands in one of them."""
    if len(tokens) <= most:
        return tokens
    first = most // 2
    return tokens[:first] + tokens[len(tokens) - (most - first) :]
