"""How fast the training loop of the traffic language model is: real tokens a second, not padding.

    python benchmarks/tuning.py [--examples 512] [--threads 2]
    python benchmarks/tuning.py --gpu [--examples 2048]

On the processor a small Llama is trained by our loop and by TrafficLLM's recipe: one example at a
time, padded to 1,024 + 32 tokens, a step every 16 examples, the loss from the logits of all
positions. Each way runs in a process of its own, whose peak memory is told; they take turns, and
the best turn of each counts. On a machine with other work, take one thread and CPU seconds.

On a GPU, models of random weights in the shapes of 0.6 and 7 billion parameters learn with LoRA in
bfloat16. Their utilisation is the arithmetic that real tokens need, over the device's dense peak.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import peft
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.settings import TrafficLmSettings
from pipelines.models.traffic_lm.training import TrainSettings, train

VOCABULARY = 8192
PADDED, ACCUMULATED = 1024 + 32, 16
PADDED_EXAMPLES = 32  # enough to time: every one costs the same
TURNS = 3
QWEN2 = {"vocab_size": 151_936, "num_hidden_layers": 28, "max_position_embeddings": 4096}
SHAPES = {
    "0.6B": Qwen2Config(
        hidden_size=1024,
        intermediate_size=3072,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
        **QWEN2,
    ),
    "7B": Qwen2Config(
        hidden_size=3584,
        intermediate_size=18_944,
        num_attention_heads=28,
        num_key_value_heads=4,
        **QWEN2,
    ),
}
# Dense bfloat16 of the makers' data sheets, TFLOP/s; the first name that the device's holds counts.
PEAKS = {
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "H200": 989,
    "A100": 312,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
    "RTX 4090": 165,
}


def some_examples(count: int, vocabulary: int) -> list[Example]:
    """Prompts and answers of 40 to 200 tokens, of which 1 to 5 are the answer."""
    random = np.random.default_rng(0)
    lengths, answers = random.integers(40, 201, count), random.integers(1, 6, count)
    return [
        Example(random.integers(3, vocabulary, length), int(answer))
        for length, answer in zip(lengths, answers, strict=True)
    ]


def tokens_of(examples: list[Example]) -> int:
    return sum(len(example.tokens) for example in examples)


def small_llama() -> nn.Module:
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 5}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, **shape, **heads))


def our_loop(model: nn.Module, examples: list[Example]) -> None:
    settings = TrainSettings(epochs=1, micro_tokens=TrafficLmSettings().tokens_at_once())
    train(model, examples, settings, seed=0)


def padded_loop(model: nn.Module, examples: list[Example]) -> None:
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for place, example in enumerate(examples, start=1):
        tokens = torch.zeros(1, PADDED, dtype=torch.long)
        length = len(example.tokens)
        tokens[0, :length] = torch.from_numpy(example.tokens)
        labels = torch.full_like(tokens, -100)
        labels[0, length - example.answer : length] = tokens[0, length - example.answer : length]
        seen = (torch.arange(PADDED) < length).long()[None]
        loss = model(input_ids=tokens, attention_mask=seen, labels=labels, use_cache=False).loss
        (loss / ACCUMULATED).backward()
        if place % ACCUMULATED == 0:
            optimiser.step()
            optimiser.zero_grad()


def one_turn(name: str, count: int, threads: int) -> None:
    """Time one loop in this process and print tokens a second and peak memory as JSON."""
    torch.set_num_threads(threads)
    model, examples = small_llama(), some_examples(count, VOCABULARY)
    loop = our_loop if name == "our" else padded_loop
    loop(model, examples[:ACCUMULATED])
    start, busy = time.perf_counter(), time.process_time()
    loop(model, examples)
    tokens = tokens_of(examples)
    turn = {
        "second": tokens / (time.perf_counter() - start),
        "CPU second": tokens / (time.process_time() - busy),
        "GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }
    print(json.dumps(turn))


def on_the_processor(count: int, threads: int) -> None:
    counts = {"our": count, "padded": min(count, PADDED_EXAMPLES)}
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in counts}
    for _ in range(TURNS):
        for name, size in counts.items():
            options = ["--loop", name, "--examples", str(size), "--threads", str(threads)]
            command = [sys.executable, __file__, *options]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            turns[name].append(json.loads(done.stdout))
    for unit in ("second", "CPU second"):
        our, padded = (max(turn[unit] for turn in turns[name]) for name in counts)
        print(f"tokens a {unit}: {our:,.0f}, padded {padded:,.0f}, ratio {our / padded:.1f}")
    our, padded = (max(turn["GB"] for turn in turns[name]) for name in counts)
    print(f"peak memory: {our:.2f} GB, padded {padded:.2f} GB")


def on_the_gpu(count: int) -> None:
    device = torch.device("cuda")
    name = torch.cuda.get_device_name()
    peak = next((value for part, value in PEAKS.items() if part in name), None)
    print(f"{name}, dense bfloat16 peak {peak or 'unknown'} TFLOP/s")
    for shape, config in SHAPES.items():
        torch.cuda.reset_peak_memory_stats()
        rate, tflops = lora_rate(config, device, count)
        used = f"{tflops / peak:.1%}" if peak else "unknown"
        memory = torch.cuda.max_memory_allocated() / 1e9
        print(
            f"{shape:5} {rate:10,.0f} tokens/s {tflops:6.1f} TFLOP/s, "
            f"utilisation {used}, {memory:.1f} GB"
        )
        torch.cuda.empty_cache()


def lora_rate(config: Qwen2Config, device: torch.device, count: int) -> tuple[float, float]:
    """Tokens a second of LoRA on a random model of this shape, and TFLOP/s of real tokens."""
    with device:
        base = Qwen2ForCausalLM._from_config(config, dtype=torch.bfloat16)
    adapter = peft.LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, adapter)
    examples = some_examples(count, config.vocab_size)
    settings = TrainSettings(epochs=1, batch_rows=128)
    train(model, examples[:256], settings, seed=0, warn=print)
    start = time.perf_counter()
    train(model, examples, settings, seed=0, warn=print)
    seconds = time.perf_counter() - start
    return tokens_of(examples) / seconds, arithmetic(model, config, examples) / seconds / 1e12


def arithmetic(model: nn.Module, config: Qwen2Config, examples: list[Example]) -> float:
    """Floating-point operations that LoRA needs on real tokens, nothing computed twice.

    A frozen matrix takes 2 operations a weight forward and 2 for the gradient of its input, one of
    LoRA 2 more for its own; the output layer counts where an answer is predicted. Attention takes
    2 * length * width a token, layer and product, of which causality leaves half, and twice that
    for the gradient.
    """
    frozen = lora = 0
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            lora += weight.numel()
        elif weight.ndim == 2 and "embed_tokens" not in name and "lm_head" not in name:
            frozen += weight.numel()
    width = config.num_attention_heads * (getattr(config, "head_dim", None) or 0)
    width = width or config.hidden_size
    layers, head = config.num_hidden_layers, config.hidden_size * config.vocab_size
    lengths = np.array([len(example.tokens) for example in examples])
    attention = 3 * 2 * layers * width * float((lengths.astype(float) ** 2).sum())
    answers = sum(example.answer for example in examples)
    return (4.0 * frozen + 6.0 * lora) * float(lengths.sum()) + attention + 4.0 * head * answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--loop", choices=["our", "padded"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        one_turn(options.loop, options.examples, options.threads)
    elif options.gpu:
        if not torch.cuda.is_available():
            sys.exit("No CUDA device: run without --gpu.")
        on_the_gpu(options.examples)
    else:
        on_the_processor(options.examples, options.threads)


if __name__ == "__main__":
    main()
