"""The gradient of a batch, in pieces that fit into memory and summed over all processes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from accelerate import PartialState
from torch import nn
from torch.nn.functional import cross_entropy

from pipelines.errors import NetloopError
from pipelines.models.traffic_lm.batches import Example, micro_batches, padded


class Gradients:
    """The gradients of a model's trained parameters, as parts of one vector.

    So they are summed over processes and clipped at once. The loss stands behind them.
    """

    def __init__(
        self,
        model: nn.Module,
        examples: Sequence[Example],
        micro_tokens: int,
        warn: Callable[[str], object],
        among: Sequence[int] | None = None,
    ) -> None:
        self.model, self.examples = model, examples
        self.micro_tokens, self.warn = micro_tokens, warn
        self.device = next(model.parameters()).device
        self.among = None if among is None else torch.tensor(among, device=self.device)
        self.processes = PartialState(cpu=self.device.type == "cpu")
        self.lengths = np.array([len(example.tokens) for example in examples])
        self.weights = np.array([example.answer * example.weight for example in examples])
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        sizes = [parameter.numel() for parameter in self.parameters.values()]
        self.sums = torch.zeros(sum(sizes) + 1, device=self.device)
        self.vector, self.loss = self.sums[:-1], self.sums[-1]
        parts = self.vector.split(sizes)
        for parameter, part in zip(self.parameters.values(), parts, strict=True):
            # AdamW's small steps would be lost in bfloat16.
            parameter.data = parameter.data.float()
            parameter.grad = part.view_as(parameter)

    def release(self) -> None:
        """Let the parameters have no gradients again."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def of_batch(self, batch: np.ndarray, seed: Sequence[int]) -> float:
        """Fill in the gradient of the rows of ``batch``; its loss.

        The loss is the weighted mean over the answer tokens of the batch, whatever pieces and
        processes it is computed in. Dropout draws from ``seed`` and the process's number.
        """
        share = batch[self.processes.process_index :: self.processes.num_processes]
        weight = float(self.weights[batch].sum())
        while not self._filled(share, weight, seed):
            pass
        if self.processes.num_processes > 1:
            torch.distributed.all_reduce(self.sums)
        return float(self.loss)

    def clip(self, most: float) -> float:
        """Scale the vector down to the norm ``most`` if it is longer; the norm that it had."""
        norm = self.vector.norm()
        self.vector.mul_((most / (norm + 1e-6)).clamp(max=1))
        return float(norm)

    def _filled(self, rows: np.ndarray, weight: float, seed: Sequence[int]) -> bool:
        """Whether memory sufficed; if not, the next try is in smaller pieces."""
        pieces = [rows[piece] for piece in micro_batches(self.lengths[rows], self.micro_tokens)]
        _seed(*seed, self.processes.process_index)
        self.sums.zero_()
        try:
            for piece in pieces:
                self._add(piece, weight)
            return True
        except RuntimeError as error:
            if not out_of_memory(error) or all(len(piece) == 1 for piece in pieces):
                raise
        # Not inside the handler: only here the tensors of the failed piece are gone.
        self._shrink(int(max(len(piece) * self.lengths[piece].max() for piece in pieces)))
        return False

    def _add(self, rows: np.ndarray, weight: float) -> None:
        """Add the part of some ``rows`` to the loss and the gradient of a batch of ``weight``."""
        batch = padded([self.examples[row] for row in rows]).to(self.device)
        with mixed_precision(self.device):
            logits = self.model(
                input_ids=batch.tokens, logits_to_keep=batch.positions, use_cache=False
            ).logits
        answers, targets = logits.flatten(0, 1).index_select(0, batch.places), batch.targets
        if self.among is not None:
            answers = answers.index_select(1, self.among)
            targets = (targets[:, None] == self.among).int().argmax(dim=1)
        losses = cross_entropy(answers.float(), targets, reduction="none")
        loss = (losses * batch.weights).sum() / weight
        loss.backward()
        self.loss += loss.detach()

    def _shrink(self, tokens: int) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.micro_tokens = tokens // 2
        self.warn(
            f"The memory of the {self.device.type} does not suffice for {tokens:,} tokens at once: "
            f"the batch is computed in pieces of {self.micro_tokens:,}, with the same result."
        )


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU that computes with it; everything else computes in what the weights are."""
    usable = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=usable)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a tensor could not be allocated, on a device or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


@contextmanager
def memory_told(what: str, device: torch.device) -> Iterator[None]:
    """Raise NetloopError where memory does not suffice inside."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise NetloopError(
            f"The memory of the {device.type} does not suffice for {what}, even with one example "
            "at a time.",
            "Shorten the examples, set gradient_checkpointing, train LoRA or take a smaller model.",
        ) from error


def _seed(*numbers: int) -> None:
    """Seed what is drawn next so that it depends on nothing that was drawn before."""
    words = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    torch.manual_seed(int(words[0]))
