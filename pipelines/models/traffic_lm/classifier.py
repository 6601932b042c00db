"""A traffic language model that names classes: traffic in, exact probabilities of labels out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from peft import PeftModel
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from pipelines.errors import InputError
from pipelines.evaluate.metrics import macro_f1
from pipelines.models.base import Epoch, class_numbers, in_batches
from pipelines.models.card import Card, new_card, read_card, write_card
from pipelines.models.cnn.training import best_device, class_weights, seeded
from pipelines.models.traffic_lm.base import Base, check_same, load_base, save_base
from pipelines.models.traffic_lm.batches import Example
from pipelines.models.traffic_lm.calibration import fit_temperature, unknown_threshold
from pipelines.models.traffic_lm.labels import label_sequences
from pipelines.models.traffic_lm.methods import ADAPTER, load_adapter, save_adapter, trainable
from pipelines.models.traffic_lm.prompts import Prompts
from pipelines.models.traffic_lm.score import label_log_probabilities, label_probabilities
from pipelines.models.traffic_lm.settings import SMALL, TrafficLmSettings
from pipelines.models.traffic_lm.training import train
from pipelines.models.traffic_lm.vocabulary import is_extended
from pipelines.progress import Progress
from pipelines.represent.traffic_text import row_texts
from pipelines.store.files import canonical_json, hash_text, write_atomic

ANSWERS = "answers.json"
BATCH_ROWS = 4096
# Validation rows that early stopping looks at after each epoch.
WATCHED_ROWS = 2000


class Answers(BaseModel):
    """What is kept of a tuned model beside its weights. ``base`` is the base's fingerprint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    temperature: float = 1.0
    unknown_below: float = 0.0
    """The probability below which a row is none of the classes, as far as validation can tell."""


class TrafficLm:
    """A causal language model, tuned to answer with a class.

    It reads flows, packets and table records, all as traffic text.
    """

    name: ClassVar[str] = "traffic_lm"
    fixed: ClassVar[Mapping[str, Any]] = {}
    """Settings that make this one a control."""

    card: Card
    answers: Answers
    model: nn.Module
    prompts: Prompts
    checkpoints: Path | None = None
    """A folder where a training that is killed goes on from; whoever sets it removes it."""

    def __init__(self, settings: TrafficLmSettings | None = None) -> None:
        settings = settings or TrafficLmSettings()
        self.settings = settings.model_copy(update=dict(self.fixed))
        self.curve: list[Epoch] = []
        self.warnings: list[str] = []
        self._calibrated: Answers | None = None

    @classmethod
    def configured(cls, settings: Mapping[str, Any]) -> Self:
        """A model with ``settings`` (see TrafficLmSettings). Raises InputError for a wrong one."""
        return cls(checked_settings(cls.name, settings))

    @property
    def classes(self) -> list[str]:
        """The classes in the order of the probabilities' columns."""
        return self.card.classes

    @property
    def unknown_below(self) -> float:
        """The probability below which a row is called unknown."""
        return self.answers.unknown_below

    def fit(
        self,
        rows: pa.Table,
        labels: Sequence[str],
        *,
        masks: Sequence[str],
        seed: int,
        validation: tuple[pa.Table, Sequence[str]] | None,
        progress: Progress,
    ) -> None:
        """Learn from ``rows``; stop early, and calibrate, on ``validation`` where it is given."""
        classes, numbers = class_numbers(labels, rows)
        settings, self.warnings = self.settings.model_dump(), []
        self.card = new_card(self.name, rows, labels, masks=masks, seed=seed, settings=settings)
        with seeded(seed):
            base = self._begin()
            self._train(base, rows, numbers, validation, seed, progress)
        self.answers = self._calibrated or Answers(base=base.fingerprint)
        if validation is not None and validation[0].num_rows:
            scores = self._scores(validation[0])
            known = {name: number for number, name in enumerate(classes)}
            truth = np.array([known.get(label, -1) for label in validation[1]])
            temperature = fit_temperature(scores, truth)
            sure = unknown_threshold(label_probabilities(scores, temperature), truth)
            self.answers = Answers(
                base=base.fingerprint, temperature=temperature, unknown_below=sure
            )

    def predict_proba(self, rows: pa.Table) -> np.ndarray:
        """Probabilities of shape (rows, classes)."""
        return in_batches(rows, BATCH_ROWS, len(self.classes), self._probabilities)

    def for_refit(self) -> Self:
        """The same settings and calibration, with the epochs after which validation was best."""
        scores = [epoch.validation_macro_f1 for epoch in self.curve]
        known = [score for score in scores if score is not None]
        epochs = scores.index(max(known)) + 1 if known else self.settings.epochs
        again = type(self)(self.settings.model_copy(update={"epochs": epochs}))
        again._calibrated = self.answers
        again.checkpoints = self.checkpoints
        return again

    def save(self, folder: Path) -> None:
        """Write the adapter, or the whole model with its tokenizer, and the card."""
        if isinstance(self.model, PeftModel):
            save_adapter(folder, self.model, self.settings.base)
        else:
            save_base(folder, self.model, self.prompts.tokenizer)
        write_atomic(folder / ANSWERS, self.answers.model_dump_json())
        write_card(folder, self.card)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError if the folder is not such a model, or its
        adapter belongs to another base than the one that is there now."""
        card = read_card(folder, cls.name)
        tuned = cls.configured(card.settings)
        tuned.card = card
        try:
            tuned.answers = Answers.model_validate_json((folder / ANSWERS).read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(
                f"{folder} does not hold a traffic language model that can be read.",
                "Use a model folder that netloop wrote and nobody changed.",
            ) from error
        if not (folder / ADAPTER).is_file():
            base = load_base(str(folder))
            model: nn.Module = base.model
        else:
            base = load_base(tuned.settings.base, four_bit=tuned.settings.four_bit)
            check_same(base, tuned.answers.base, folder)
            model = load_adapter(folder, base.model)
        tuned._take(base, model)
        return tuned

    def _begin(self) -> Base:
        """The base with random weights where this is a control, and what is trained of it."""
        base, settings = extended_base(self.settings), self.settings
        model = base.model
        if settings.initial == "random":
            model = type(model)(model.config)
        self._is_small = model.num_parameters() <= SMALL
        self._take(base, trainable(model, settings, self._is_small))
        return base

    def _take(self, base: Base, model: nn.Module) -> None:
        self.prompts = Prompts(base.tokenizer)
        self.model = model if self.settings.four_bit else model.to(best_device())
        self.model.eval()
        self.labels = label_sequences(base.tokenizer, self.classes, self.settings.labels)

    def _train(
        self,
        base: Base,
        rows: pa.Table,
        numbers: np.ndarray,
        validation: tuple[pa.Table, Sequence[str]] | None,
        seed: int,
        progress: Progress,
    ) -> None:
        examples = self._examples(rows, numbers)
        watched = None
        if validation is not None and validation[0].num_rows:
            watched = _Watched(self, *validation, seed)
        self.curve = train(
            self.model,
            examples,
            self.settings.training(self._is_small),
            seed=seed,
            what=f"tuning {self.name}",
            among=[label[0] for label in self.labels] if self._one_token_each() else None,
            validate=watched.score if watched else None,
            checkpoints=self.checkpoints and self.checkpoints / self._training_name(rows, seed),
            progress=progress,
            warn=self.warnings.append,
        )

    def _one_token_each(self) -> bool:
        return all(len(label) == 1 for label in self.labels)

    def _training_name(self, rows: pa.Table, seed: int) -> str:
        """A folder of its own for each training: a model is fitted again on more rows."""
        return hash_text(canonical_json([self.name, self.card.settings, seed, rows.num_rows]))[:16]

    def _examples(self, rows: pa.Table, numbers: np.ndarray) -> list[Example]:
        head = self.prompts.head(self.settings.task)
        weights = class_weights(numbers, self.settings.most_class_weight)
        examples = []
        for prompt, number in zip(self._prompts(rows), numbers, strict=True):
            answer = self.labels[number]
            tokens = np.array([*head, *prompt, *answer], np.int32)
            examples.append(Example(tokens, len(answer), float(weights[number])))
        return examples

    def _prompts(self, rows: pa.Table) -> list[list[int]]:
        return self.prompts.traffic(row_texts(rows, self.card.masks), self.settings.most_tokens)

    def _probabilities(self, rows: pa.Table) -> np.ndarray:
        return label_probabilities(self._scores(rows), self.answers.temperature)

    def _scores(self, rows: pa.Table) -> np.ndarray:
        """Log probabilities of shape (rows, classes), before calibration."""
        return label_log_probabilities(
            self.model,
            self._prompts(rows),
            self.labels,
            prefix=self.prompts.head(self.settings.task),
            micro_tokens=self.settings.tokens_at_once(),
        )


class _Watched:
    """Validation rows that early stopping looks at: all, or as many as can be judged in time."""

    def __init__(self, model: TrafficLm, rows: pa.Table, labels: Sequence[str], seed: int) -> None:
        order = np.random.default_rng(seed).permutation(rows.num_rows)
        some = np.sort(order[:WATCHED_ROWS])
        self.model, self.rows = model, rows.take(some)
        self.labels = [labels[place] for place in some]

    def score(self) -> float:
        """Macro-F1 of the model as it is now."""
        guesses = self.model._scores(self.rows).argmax(axis=1)
        return macro_f1(self.labels, np.array(self.model.classes, object)[guesses])


def checked_settings(name: str, settings: Mapping[str, Any]) -> TrafficLmSettings:
    """Settings of the model ``name``. Raises InputError for a wrong one."""
    try:
        return TrafficLmSettings.model_validate(settings)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(
            f"The setting {'.'.join(map(str, wrong['loc']))!r} of the model {name!r} is "
            f"wrong: {wrong['msg']}.",
            f"Its settings are {', '.join(TrafficLmSettings.model_fields)}.",
        ) from error


def extended_base(settings: TrafficLmSettings) -> Base:
    """The base of some settings. Raises InputError if it has no traffic tokens."""
    base = load_base(settings.base, four_bit=settings.four_bit)
    if not is_extended(base.tokenizer):
        raise InputError(
            f"The base {settings.base} has no traffic tokens.",
            f"Give it some first: netloop tune instructions --base {settings.base} --out tuned",
        )
    return base
