"""How fast a causal language model says how probable each label of a row is, and how exactly.

    python benchmarks/scoring.py [--rows 64] [--threads 1] [--device cpu] [--model FOLDER]

On two random models, or on the one in FOLDER: ours with one reserved token a label and with labels
of 1 to 5 tokens, one sequence for each row and label, and a sampled answer a row at a time. The
last two are timed on a few of the rows. Fails if ours is not equal to one sequence for each label.
An answer of 32 tokens is what a model gives that does not stop; one of 6 is the longest label with
an end token.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
)

from pipelines.models.traffic_lm.score import label_log_probabilities

LABELS, INSTRUCTION, SHORTEST, LONGEST = 20, 40, 100, 192
SLOW_ROWS = 4
EXACT = 1e-3

Way = Callable[[list[list[int]]], np.ndarray | None]


def configurations() -> dict[str, PretrainedConfig]:
    """The two random models; 0 pads, 1 begins, 2 ends."""
    special = {"vocab_size": 8192, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    small = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 5}
    large = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8}
    tied = {"tie_word_embeddings": True, "max_position_embeddings": 1024}
    return {
        "small": LlamaConfig(
            **special, **small, **tied, num_attention_heads=4, num_key_value_heads=4
        ),
        "large": Qwen2Config(
            **special, **large, **tied, num_attention_heads=8, num_key_value_heads=2
        ),
    }


@dataclass(frozen=True)
class Task:
    """A model, prompts that begin with the same instruction, and labels."""

    model: PreTrainedModel
    prompts: list[list[int]]
    labels: list[list[int]]

    @property
    def reserved(self) -> list[list[int]]:
        """Labels of one token each."""
        return [label[:1] for label in self.labels]

    @property
    def few(self) -> list[list[int]]:
        """Prompts for the slow ways, as long as all are on average."""
        step = max(1, len(self.prompts) // SLOW_ROWS)
        return sorted(self.prompts, key=len)[step // 2 :: step]

    def ways(self) -> dict[str, Way]:
        """What is compared: prompts to scores of shape (rows, labels)."""
        instruction = self.prompts[0][:INSTRUCTION]
        return {
            "ours, one token a label": lambda rows: label_log_probabilities(
                self.model, rows, self.reserved
            ),
            "ours, labels as a trie": lambda rows: label_log_probabilities(
                self.model, rows, self.labels
            ),
            "ours, trie, instruction once": lambda rows: label_log_probabilities(
                self.model, [row[INSTRUCTION:] for row in rows], self.labels, prefix=instruction
            ),
            "one sequence a label": lambda rows: self.one_sequence_a_label(rows, self.labels),
            "a sampled answer a row, 6 tokens": lambda rows: self.sampled(rows, 6),
            "a sampled answer a row, 32 tokens": lambda rows: self.sampled(rows, 32),
        }

    @torch.inference_mode()
    def one_sequence_a_label(self, rows: list[list[int]], labels: list[list[int]]) -> np.ndarray:
        """Each prompt with each label behind it, a row's labels as one batch."""
        longest = max(map(len, labels))
        behind = torch.zeros(len(labels), longest, dtype=torch.long)
        for label, tokens in zip(behind, labels, strict=True):
            label[: len(tokens)] = torch.tensor(tokens)
        behind = behind.to(self.model.device)
        scores = []
        for row in rows:
            prompt = torch.tensor(row, device=behind.device).expand(len(behind), -1)
            logits = self.model(
                torch.cat([prompt, behind], dim=1), logits_to_keep=longest + 1, use_cache=False
            ).logits[:, :-1]
            steps = logits.float().log_softmax(-1).gather(-1, behind[..., None])[..., 0]
            scores.append((steps * (behind > 0)).double().sum(1).cpu())
        return torch.stack(scores).numpy()

    def worst_difference(self) -> float:
        """The largest distance of ours from one sequence a label; both are natural logarithms."""
        names = self.one_sequence_a_label(self.few, self.labels)
        truth = [self.one_sequence_a_label(self.few, self.reserved), names, names]
        ours = [way(self.few) for name, way in self.ways().items() if name.startswith("ours")]
        return float(np.abs(np.array(ours) - truth).max())

    @torch.inference_mode()
    def sampled(self, rows: list[list[int]], tokens: int) -> None:
        """An answer drawn for each row, with a batch size of 1."""
        for row in rows:
            prompt = torch.tensor([row], device=self.model.device)
            self.model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=True,
                max_new_tokens=tokens,
            )


def task(model: PreTrainedModel, rows: int) -> Task:
    """Random prompts and labels in the tokens of ``model``; labels begin differently."""
    random = Random(0)
    vocabulary = range(3, model.config.get_text_config().vocab_size)

    def draw(tokens: int) -> list[int]:
        return random.choices(vocabulary, k=tokens)

    instruction = draw(INSTRUCTION)
    prompts = [
        instruction + draw(random.randint(SHORTEST, LONGEST) - INSTRUCTION) for _ in range(rows)
    ]
    first = random.sample(vocabulary, LABELS)
    return Task(model, prompts, [[token, *draw(n % 5)] for n, token in enumerate(first)])


def seconds_a_row(made: Task, repeats: int) -> dict[str, float]:
    """The median of ``repeats`` rounds, each of all ways in turn."""
    ways = made.ways()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            rows = made.prompts if name.startswith("ours") else made.few
            start = time.perf_counter()
            way(rows)
            times[name].append((time.perf_counter() - start) / len(rows))
    return {name: median(found) for name, found in times.items()}


def measure(name: str, model: PreTrainedModel, options: argparse.Namespace) -> None:
    """Check that ours is exact, then print the table of one model."""
    made = task(model.to(options.device).eval(), options.rows)
    worst = made.worst_difference()
    if worst > EXACT:
        raise SystemExit(f"{name}: ours differs from one sequence a label by {worst:.2g}")
    times = seconds_a_row(made, options.repeats)
    config, nodes = model.config.get_text_config(), sum(len(label) - 1 for label in made.labels)
    print(
        f"\n{name}: {config.model_type}, hidden {config.hidden_size}, {config.num_hidden_layers} "
        f"layers, {model.num_parameters() / 1e6:.1f} M parameters, {options.device}, "
        f"threads {options.threads}; {options.rows} rows of {SHORTEST}-{LONGEST} tokens, {LABELS} "
        f"labels, {nodes} label tokens packed.\n"
        f"Largest difference from one sequence a label: {worst:.1g}.\n"
    )
    print("| way | rows/s | times one token a label | times the trie |\n|---|---|---|---|")
    first, trie = times["ours, one token a label"], times["ours, labels as a trie"]
    for way, took in times.items():
        print(f"| {way} | {1 / took:,.1f} | {took / first:.2f} | {took / trie:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a folder with a causal language model")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.model:
        model = AutoModelForCausalLM.from_pretrained(options.model, local_files_only=True)
        measure(options.model.name, model, options)
        return
    for name, config in configurations().items():
        measure(name, AutoModelForCausalLM.from_config(config), options)


if __name__ == "__main__":
    main()
