"""The names of the models, without importing any of them."""

BASELINES: tuple[str, ...] = (
    "majority",
    "lookup",
    "knn",
    "logistic_regression",
    "random_forest",
    "hist_gradient_boosting",
)
MODELS: tuple[str, ...] = (*BASELINES, "cnn")
