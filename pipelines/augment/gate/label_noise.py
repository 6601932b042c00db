"""Wrong labels: three models that learned from the real rows vote against them."""

from dataclasses import dataclass

import numpy as np

from pipelines.augment.gate.chance import share_bar, unseen_share
from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.augment.gate.models import fitted, forest, logistic, neighbours, out_of_fold
from pipelines.augment.gate.pair import Pair, label_array
from pipelines.augment.names import Votes
from pipelines.words import counted

NAME = "label_noise"
MODELS = (logistic, neighbours, forest)
FEWEST_ROWS = 5


@dataclass(frozen=True)
class Ballot:
    """``against``: how many models contradict the label of each synthetic row, shape (rows,).

    ``on_right``, ``on_wrong``: the same out of fold on real rows, with their labels and with each
    of the others instead; with the weights that give them the synthetic rows' mix of classes.
    """

    against: np.ndarray
    on_right: np.ndarray
    on_wrong: np.ndarray
    right_weights: np.ndarray
    wrong_weights: np.ndarray

    def usual(self, votes: Votes) -> float:
        """The share of right labels that is contradicted."""
        return float(np.average(self.on_right >= votes, weights=self.right_weights))

    def wrong_share(self, votes: Votes) -> float:
        """The estimated share of wrong labels (W. Rogan and B. Gladen, 1978): what is contradicted
        more often than right labels are, by how much more often wrong ones are."""
        usual, seen = self.usual(votes), self._seen(votes)
        if seen <= usual:
            return 0.0
        share = (float((self.against >= votes).mean()) - usual) / (seen - usual)
        return min(max(share, 0.0), 1.0)

    def wrong_between(self, votes: Votes) -> tuple[float, float]:
        """Where that share lies, two of its standard errors to each side (theirs, too). Anywhere,
        if the models cannot tell."""
        usual, seen = self.usual(votes), self._seen(votes)
        if seen <= usual:
            return 0.0, 1.0
        share = self.wrong_share(votes)
        real, others = map(_worth, (self.right_weights, self.wrong_weights))
        variance = (
            _variance(float((self.against >= votes).mean()), len(self.against))
            + (1 - share) ** 2 * _variance(usual, real)
            + share**2 * _variance(seen, min(others, len(self.on_right)))
        )
        room = 2 * float(np.sqrt(variance)) / (seen - usual)
        return max(share - room, 0.0), min(share + room, 1.0)

    def _seen(self, votes: Votes) -> float:
        """The share of wrong labels that is contradicted."""
        return float(np.average(self.on_wrong >= votes, weights=self.wrong_weights))


def _worth(weights: np.ndarray) -> float:
    """How many rows of even weight say as much (L. Kish, 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _variance(share: float, rows: float) -> float:
    """Of a share that so many rows show: never nothing, for they could have shown one more."""
    share = min(max(share, 1 / (rows + 2)), 1 - 1 / (rows + 2))
    return share * (1 - share) / rows


def _learned(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points and labels of the real rows that models learn from, and their classes, sorted."""
    names, counts = np.unique(pair.real.labels, return_counts=True)
    known = names[counts >= FEWEST_ROWS]
    learned = np.isin(pair.real.labels, known)
    return pair.real.points[learned], pair.real.labels[learned], known


def ballot(pair: Pair) -> Ballot | None:
    """Votes against synthetic rows, and out of fold against real ones, for which every model is
    fitted once more a fold. None without two classes of FEWEST_ROWS real rows each. Nothing is
    learned of rarer real classes; synthetic rows of a class that is not known are contradicted."""
    points, labels, known = _learned(pair)
    if len(known) < 2:
        return None
    claimed = label_array(pair.synthetic_rows)
    models = [fitted(learner, points, labels, pair.seed) for learner in MODELS]
    guesses = [
        np.stack([model.predict(part) for model in models])
        for part in pair.space.batches(pair.synthetic_rows)
    ]
    out = np.stack([out_of_fold(learner, points, labels, pair.seed) for learner in MODELS])
    mix = {name: float((claimed == name).sum()) / float((labels == name).sum()) for name in known}
    if not any(mix.values()):
        mix = dict.fromkeys(mix, 1.0)
    weights = np.array([mix[label] for label in labels])
    others = [
        known[(np.searchsorted(known, labels) + step) % len(known)] for step in range(1, len(known))
    ]
    return Ballot(
        against=(np.hstack(guesses) != claimed).sum(axis=0),
        on_right=(out != labels).sum(axis=0),
        on_wrong=np.concatenate([(out != other).sum(axis=0) for other in others]),
        right_weights=weights,
        wrong_weights=np.concatenate([[mix[label] for label in other] for other in others]),
    )


def label_noise(pair: Pair, found: Ballot | None, votes: Votes) -> Check:
    """The share of synthetic labels that at least so many of three models contradict.

    The bar is the share of real labels that they contradict out of fold, and what luck adds.
    """
    if found is None:
        return unjudged(NAME, f"labels: fewer than two classes with {FEWEST_ROWS} real rows")
    flags = found.against >= votes
    asked = len(found.on_right)
    bar = share_bar(found.usual(votes) + unseen_share(asked), len(flags), asked)
    words = (
        f"{counted(int(flags.sum()), 'bears a label', 'bear labels')} that the real rows "
        f"contradict ({found.wrong_share(votes):.0%} of all are wrong by estimate)"
    )
    return at_most(NAME, float(flags.mean()), bar, words, flags)
