"""How sure a model may say that it is, learnt from validation rows; and when it says "unknown".

A row's ``truth`` is the number of its class, or -1 for a class that the model does not know.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(log_probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature, from 0.05 to 20, under which the classes of rows are the most probable.

    ``log_probabilities`` (rows, labels) are divided by it before the softmax. This is temperature
    scaling: Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2. Rows of
    unknown classes are left out.

    1.0 where nothing can be learnt: without rows, and where each row's class is its most probable
    one already, because the likelihood then rises without end as the temperature falls.
    """
    known = truth >= 0
    scores, truth = log_probabilities[known], truth[known]
    of_truth = scores[np.arange(len(truth)), truth]
    if (of_truth == scores.max(axis=1, initial=-np.inf)).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        """The mean negative log-likelihood; it has one minimum."""
        scaled = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def expected_calibration_error(
    probabilities: np.ndarray, truth: np.ndarray, bins: int = 15
) -> float:
    """How far confidence is from accuracy, from 0 to 1; NaN without rows of known classes.

    Rows fall into ``bins`` intervals of equal width by the highest of their ``probabilities``
    (rows, labels). The result is the mean of |accuracy - mean confidence| over intervals, weighted
    by their rows: Guo et al. 2017, equation 3. Rows of unknown classes are left out.
    """
    known = truth >= 0
    probabilities, truth = probabilities[known], truth[known]
    if not len(truth):
        return float("nan")
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    # Intervals are open at the left, as in the paper.
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def unknown_threshold(probabilities: np.ndarray, truth: np.ndarray, keep: float = 0.98) -> float:
    """The confidence below which a row is called unknown.

    At least the share ``keep`` of the rows that were classified right has that much or more. 0.0,
    so that nothing is called unknown, if no row was.
    """
    confidence = probabilities.max(axis=1)[probabilities.argmax(axis=1) == truth]
    return float(np.quantile(confidence, 1 - keep, method="lower")) if len(confidence) else 0.0
