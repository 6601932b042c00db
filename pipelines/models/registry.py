"""Models by name: a new model is one new class and one line here."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.models.base import Classifier, NamedModel
from pipelines.models.card import read_card
from pipelines.models.derived import Derived

LADDER = "pipelines.models.baselines.ladder"
LM_CONTROLS = "pipelines.models.traffic_lm.controls"

# name -> (module, class); in the ladder's order, from the plainest model up.
MODELS: dict[str, tuple[str, str]] = {
    "majority": (LADDER, "Majority"),
    "lookup": (LADDER, "Lookup"),
    "knn": (LADDER, "NearestNeighbours"),
    "logistic_regression": (LADDER, "Logistic"),
    "random_forest": (LADDER, "RandomForest"),
    "hist_gradient_boosting": (LADDER, "GradientBoosting"),
    "cnn": ("pipelines.models.cnn.model", "Cnn"),
    "traffic_lm": ("pipelines.models.traffic_lm.classifier", "TrafficLm"),
    "traffic_lm_frozen": (LM_CONTROLS, "FrozenTrafficLm"),
    "traffic_lm_random": (LM_CONTROLS, "RandomTrafficLm"),
}
# Those that learn in seconds: what is tried by default where many fits are needed.
QUICK = tuple(name for name in MODELS if not name.startswith("traffic_lm"))
BASELINES = tuple(name for name, (module, _) in MODELS.items() if module == LADDER)


def model_class(name: str) -> type[NamedModel]:
    """The class of a model. Raises InputError for an unknown name."""
    if name not in MODELS:
        raise InputError(f"There is no model {name!r}.", f"Choose from {', '.join(MODELS)}.")
    module, attribute = MODELS[name]
    found: type[NamedModel] = getattr(import_module(module), attribute)
    return found


def new_model(
    name: str, settings: Mapping[str, Any] | None = None, features: Sequence[str] = ()
) -> Classifier:
    """An unfitted model that also reads these derived columns.

    Raises InputError for an unknown name or setting.
    """
    model = model_class(name).configured(settings or {})
    return Derived(model, features) if features else model


def load_model(folder: Path) -> Classifier:
    """The model that was saved in ``folder``, whichever it is.

    Raises InputError if the folder holds no model, or one that was changed or cannot be trusted.
    """
    card = read_card(folder)
    model = model_class(card.name).load(folder)
    return Derived(model, card.features) if card.features else model
