"""The one training loop of the traffic language model, whatever of it is trained and on what."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.errors import InputError, NetloopError
from pipelines.models.base import Epoch
from pipelines.models.cnn.training import seeded
from pipelines.models.traffic_lm.batches import Example, plan_epoch
from pipelines.models.traffic_lm.checkpoints import Parts, TrainState, fingerprint, load, save
from pipelines.models.traffic_lm.gradients import Gradients, memory_told
from pipelines.models.traffic_lm.optimiser import learning_rate, new_optimiser
from pipelines.models.traffic_lm.train_settings import HOW, TrainSettings
from pipelines.progress import Progress, silent


def train(
    model: nn.Module,
    examples: Sequence[Example],
    settings: TrainSettings,
    *,
    seed: int,
    what: str = "tuning",
    among: Sequence[int] | None = None,
    validate: Callable[[], float] | None = None,
    checkpoints: Path | None = None,
    progress: Progress = silent,
    warn: Callable[[str], object] = lambda line: None,
) -> list[Epoch]:
    """Train ``model`` in place on the answers of ``examples``; its learning curve.

    ``model`` is a causal language model of transformers, or one that PEFT wraps with LoRA,
    trainable tokens or prefix tuning; the parameters that require a gradient are trained, in
    float32. It lies on the device where it is to be trained and is left in evaluation mode. The
    loss of a batch is the mean of its answer tokens' cross entropies, each weighted with its
    example's weight.

    ``among`` are the tokens that an answer may be, where all answers are one of a few: the cross
    entropy is then over these alone, and nothing is spent on learning that no other word answers.

    ``validate`` gives the macro-F1 of the model as it is after an epoch. With it, training stops
    when that has not risen for ``patience`` epochs and the best weights are restored.

    ``checkpoints`` is a folder: a training that was killed goes on from there and ends with the
    weights that it would have had. Remove it with ``checkpoints.discard`` when the result is saved.

    Under torchrun or ``accelerate launch`` every process calls this with the same arguments; the
    rows of each batch are dealt out to them, and the folder must be one that all of them see.

    Raises InputError for a checkpoint of another training, for a kind of model that cannot be
    trained and without examples; NetloopError if the loss is no number, memory does not suffice
    for one example, or a checkpoint cannot be written.
    """
    _check(model, examples, settings)
    if among is not None:
        _check_answers(examples, set(among))
    device = next(model.parameters()).device
    recomputing = _recomputing(model, settings.gradient_checkpointing)
    with seeded(seed), recomputing, memory_told(what, device):
        trainer = _Trainer(
            model, examples, settings, seed, what, among, checkpoints, progress, warn
        )
        return trainer.run(validate)


@dataclass
class _Trainer:
    model: nn.Module
    examples: Sequence[Example]
    settings: TrainSettings
    seed: int
    what: str
    among: Sequence[int] | None
    folder: Path | None
    progress: Progress
    warn: Callable[[str], object]

    def __post_init__(self) -> None:
        settings = self.settings
        self.gradients = Gradients(
            self.model, self.examples, settings.micro_tokens, self.warn, self.among
        )
        self.processes = self.gradients.processes
        self.optimiser = new_optimiser(self.model, settings.weight_decay)
        self.batches = math.ceil(len(self.examples) / settings.batch_rows)
        self.steps = settings.epochs * self.batches
        self.best: dict[str, Tensor] = {}
        self.saved = time.monotonic()

    def run(self, validate: Callable[[], float] | None) -> list[Epoch]:
        """All epochs that are not done yet, or fewer."""
        try:
            self.state = self._resumed()
            self._begin_alike()
            while not self._is_done():
                self._epoch()
                self._end_epoch(validate)
        finally:
            self.gradients.release()
        self.processes.wait_for_everyone()  # whoever removes the checkpoints must not be early
        self._put(self.best)
        return self.state.curve

    def _is_done(self) -> bool:
        is_last = self.state.epoch > self.settings.epochs
        return is_last or self.state.since_best() >= self.settings.patience

    def _epoch(self) -> None:
        """The batches of the epoch that are not done yet."""
        self.model.train()
        state, lengths = self.state, self.gradients.lengths
        plan = plan_epoch(lengths, self.settings.batch_rows, self.seed, state.epoch)
        for batch in plan[state.batch :]:
            loss, weight = self._step(batch), float(self.gradients.weights[batch].sum())
            state.batch += 1
            state.tokens += int(lengths[batch].sum())
            state.loss, state.weight = state.loss + loss * weight, state.weight + weight
            if self.processes.is_main_process:
                total = self.settings.epochs * int(lengths.sum())
                self.progress(self.what, state.tokens, total, f"tokens, loss {loss:.3f}")
                if time.monotonic() - self.saved >= self.settings.checkpoint_seconds:
                    self._save()

    def _step(self, batch: np.ndarray) -> float:
        """Learn from one batch; its loss."""
        step = (self.state.epoch - 1) * self.batches + self.state.batch
        loss = self.gradients.of_batch(batch, (self.seed, step))
        norm = self.gradients.clip(self.settings.clip)
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise self._not_finite(step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, self.steps, self.settings)
        self.optimiser.step()
        return loss

    def _end_epoch(self, validate: Callable[[], float] | None) -> None:
        """A line of the learning curve, and a checkpoint."""
        self.model.eval()
        state = self.state
        score = None if validate is None else self._agreed(validate())
        loss = state.loss / state.weight
        state.curve.append(Epoch(epoch=state.epoch, loss=loss, validation_macro_f1=score))
        if score is not None and not state.since_best():
            weights = self.gradients.parameters.items()
            self.best = {name: weight.detach().to("cpu", copy=True) for name, weight in weights}
        state.epoch, state.batch, state.loss, state.weight = state.epoch + 1, 0, 0.0, 0.0
        if self.processes.is_main_process:
            self._save()

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.folder is None:
            return
        self.state.micro_tokens = self.gradients.micro_tokens
        weights = self.gradients.parameters
        moments = {
            f"{name}/{moment}": value
            for name, weight in weights.items()
            for moment, value in self.optimiser.state[weight].items()
        }
        save(self.folder, self.state, Parts(weights, moments, self.best))

    def _resumed(self) -> TrainState:
        """Where the training stands on disk, or its beginning."""
        if self.folder is None:
            return TrainState(fingerprint={}, micro_tokens=self.settings.micro_tokens)
        weights = self.gradients.parameters
        settings = self.settings.model_dump(exclude=HOW) | {"among": self.among}
        made_from = fingerprint(settings, self.seed, self.examples, weights)
        found = load(self.folder, made_from)
        if found is None:
            return TrainState(fingerprint=made_from, micro_tokens=self.settings.micro_tokens)
        state, parts = found
        self._put(parts.weights)
        self.best = dict(parts.best)
        for name, value in parts.optimiser.items():
            weight, _, moment = name.rpartition("/")
            # AdamW counts steps on the CPU.
            place = value if moment == "step" else value.to(self.gradients.device)
            self.optimiser.state[weights[weight]][moment] = place
        self.gradients.micro_tokens = min(state.micro_tokens, self.settings.micro_tokens)
        return state

    def _put(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in weights.items():
                self.gradients.parameters[name].copy_(weight)

    def _begin_alike(self) -> None:
        """Let all processes have the main one's weights, and none write before all have read."""
        if self.processes.num_processes > 1:
            for weight in self.gradients.parameters.values():
                torch.distributed.broadcast(weight.data, 0)
            self.processes.wait_for_everyone()

    def _agreed(self, score: float) -> float:
        """The main process's score, so that all of them stop together."""
        if self.processes.num_processes > 1:
            agreed = torch.tensor(score, dtype=torch.float64, device=self.gradients.device)
            torch.distributed.broadcast(agreed, 0)
            score = float(agreed)
        return score

    def _not_finite(self, step: int) -> NetloopError:
        kept = f" The checkpoint in {self.folder} is from before it." if self.folder else ""
        return NetloopError(
            f"In step {step + 1} of {self.steps} of {self.what} the loss or its gradient is not a "
            f"finite number; the step was not taken.{kept}",
            f"Begin anew with a learning_rate below {self.settings.learning_rate:g}, or load the "
            "model in bfloat16 or float32 if it is in float16.",
        )


@contextmanager
def _recomputing(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Layers forget what they computed inside, and compute it again for the gradient."""
    if not wanted:
        yield
        return
    model.activation_checkpointing_enable({"use_reentrant": False})
    try:
        yield
    finally:
        model.activation_checkpointing_disable()


def _check_answers(examples: Sequence[Example], among: set[int]) -> None:
    for example in examples:
        for token in example.tokens[-example.answer :]:
            if token not in among:
                raise ValueError(f"the answer {token} is not among those that are asked for")


def _check(model: nn.Module, examples: Sequence[Example], settings: TrainSettings) -> None:
    if not examples:
        raise InputError("There are no examples to train on.", "Give rows with labels.")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            "No weight of the model may be trained.", "Wrap it with an adapter that is trainable."
        )
    adapter = getattr(model, "active_peft_config", None)
    if adapter is None or not adapter.is_prompt_learning:
        return
    if adapter.peft_type != "PREFIX_TUNING":
        raise InputError(
            f"Adapters of the type {adapter.peft_type.value} cannot be trained.",
            "Take LoRA or prefix tuning.",
        )
    if settings.gradient_checkpointing:
        raise InputError(
            "Prefix tuning does not work with gradient_checkpointing.",
            "Leave that out, or train LoRA.",
        )
