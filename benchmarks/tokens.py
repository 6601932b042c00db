"""Tokens a flow: traffic text with traffic tokens beside TrafficLLM's form, on real captures.

    python benchmarks/tokens.py $NETLOOP_DATA/ustc_tfc2016/sessions \\
        $NETLOOP_DATA/malware_captures/pcap --learn $NETLOOP_DATA/ndpi/pcap

Tokens are learned on the captures of ``--learn`` and counted on all flows of each other source.
Without ``--base`` two tokenizers are made on the spot: byte-level BPE of 32,000 tokens on the
Python sources and package descriptions at hand, that is, code and English, cut into words as Qwen's
(digits one by one) and Llama 3's (up to three digits) are. Those have 150,000 and 128,000 tokens.
"""

import argparse
import random
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.models.traffic_lm.base import Base, load_base
from pipelines.models.traffic_lm.tokenizer_report import Cost, TokenReport, teach_traffic
from pipelines.represent.corpus import traffic_corpus
from pipelines.represent.traffic_text import RowText

TOKENS = 32_000
MOST_CHARACTERS = 30_000_000
DIGITS = {"BPE as Qwen": 1, "BPE as Llama 3": 3}  # digits that may be one token


def tokenizer_of(digits: int) -> Tokenizer:
    """A byte-level BPE on code and English; a word takes the sign before it, as in ``.flags``."""
    words = Regex(
        rf"[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,{digits}}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s+"
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts_at_hand(), trainer)
    return tokenizer


def texts_at_hand() -> Iterator[str]:
    """Python sources and package descriptions of this installation, the same draw each time."""
    folders = {sysconfig.get_path(name) for name in ("stdlib", "purelib")}
    files = sorted(
        path
        for folder in folders
        for pattern in ("*.py", "METADATA")
        for path in Path(folder).rglob(pattern)
    )
    random.Random(0).shuffle(files)
    characters = 0
    for path in files:
        text = path.read_text(errors="ignore")
        characters += len(text)
        if characters > MOST_CHARACTERS:
            return
        yield text


def untrained(name: str, tokenizer: Tokenizer) -> Base:
    """A base of which only the tokenizer matters."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
        )
    )
    copied = Tokenizer.from_str(tokenizer.to_str())
    return Base(name, model, PreTrainedTokenizerFast(tokenizer_object=copied), "")


def print_report(name: str, source: Path, report: TokenReport) -> None:
    """A line for each form."""
    forms = {"fields": report.fields, "text": report.before, "text, tokens": report.after}
    for form, cost in forms.items():
        share = cost.flow.mean / report.fields.flow.mean
        print(
            f"| {'/'.join(source.parts[-2:])} | {name} | {form} | {figures(cost)} | {share:.3f} |"
        )
    sys.stdout.flush()


def figures(cost: Cost) -> str:
    """Mean, median and 95th percentile a flow and a packet; payload bytes a token."""
    spreads = [
        f"{spread.mean:.1f} / {spread.median:.0f} / {spread.p95:.0f}"
        for spread in (cost.flow, cost.packet)
    ]
    payload = cost.payload_bytes_a_token
    return " | ".join([*spreads, "-" if payload is None else f"{payload:.2f}"])


def flows_of(source: Path) -> list[RowText]:
    """The flows of all captures of a source."""
    corpus = traffic_corpus([source], warn=lambda line: print(line, file=sys.stderr))
    return [text for texts in corpus.values() for text in texts]


def main() -> None:
    """Make or load the tokenizers, teach them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--learn", type=Path, required=True)
    parser.add_argument("--base", default=None, help="a folder; BPEs made on the spot if left out")
    parser.add_argument("--size", type=int, default=4096)
    arguments = parser.parse_args()
    learned = flows_of(arguments.learn)
    judged = {source: flows_of(source) for source in arguments.captures}
    if arguments.base is not None:
        made = {arguments.base: None}
    else:
        made = {name: tokenizer_of(digits) for name, digits in DIGITS.items()}
    print("Tokens: mean / median / 95th percentile; share of the mean of fields a flow.\n")
    print("| captures | tokenizer | form | a flow | a packet | payload bytes a token | share |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, tokenizer in made.items():
        for source, texts in judged.items():
            base = load_base(name) if tokenizer is None else untrained(name, tokenizer)
            report = teach_traffic(base, learned, texts, size=arguments.size)
            print_report(name, source, report)


if __name__ == "__main__":
    main()
