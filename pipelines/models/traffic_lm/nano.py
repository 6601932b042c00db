"""traffic-nano from nothing: its tokenizer, its network, and what it is pre-trained on."""

from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.models.traffic_lm.vocabulary import MULTIPLE, extend
from pipelines.represent.traffic_text.symbols import BACK, EITHER, FORTH
from pipelines.represent.traffic_tokens import learn_tokens

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
TEXT_TOKENS = 3072  # English of instructions, names and numbers of traffic text
TRAFFIC_TOKENS = 4096
# A word with its blank and its sign, numbers of up to three digits, a sign.
_WORDS = Regex(r"\d{1,3}| ?[A-Za-z]+=?| ?[^\sA-Za-z\d]|\s+")
CONTEXT = 2048


def text_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer for words and numbers; any text can be written with it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT_TOKENS,
        min_frequency=3,
        show_progress=False,
        special_tokens=[PAD, BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD
    )


def new_nano(
    traffic: Sequence[str], instructions: Sequence[str]
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The network with random weights (torch's generator) and a tokenizer for these texts."""
    words = [_words(text) for text in traffic]
    tokenizer = text_tokenizer([*instructions, *words])
    model = LlamaForCausalLM(_shape(tokenizer))
    extend(model, tokenizer, learn_tokens(traffic, TRAFFIC_TOKENS))
    return model, tokenizer


def _words(text: str) -> str:
    """What a traffic text says before its packets."""
    places = [place for sign in (FORTH, BACK, EITHER) if (place := text.find(sign)) >= 0]
    return text[: min(places, default=len(text))]


def _shape(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=-(-len(tokenizer) // MULTIPLE) * MULTIPLE,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=3,
        num_key_value_heads=3,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
