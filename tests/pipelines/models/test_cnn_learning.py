"""Learning rates, losses on validation, learning curves in little, and divergence."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.errors import InputError
from pipelines.models.base import Epoch, labels_of
from pipelines.models.cnn.architecture import Architecture, Block, Optimiser
from pipelines.models.cnn.cost import InputShape, memory_mb, relative_work, total_cost
from pipelines.models.cnn.learning import MOST_POINTS, CnnEpoch, learning_of
from pipelines.models.cnn.model import Cnn
from pipelines.models.cnn.optimiser import new_optimiser, rate_in
from pipelines.models.cnn.price import price_of
from pipelines.models.cnn.settings import CnnSettings
from pipelines.models.cnn.shipped import SHIPPED
from pipelines.models.cnn.training import logits, weighted_loss
from pipelines.progress import silent

Rows = Callable[..., pa.Table]
FLOWS = InputShape(packets=20, payload=96)


def lines(scores: list[float | None]) -> list[Epoch]:
    return [
        CnnEpoch(epoch=n, loss=1 / n, validation_macro_f1=score, validation_loss=0.123456)
        for n, score in enumerate(scores, 1)
    ]


# --- rates and optimisers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear", [1, 0.505, 0.01, 0.01]),
        ("cosine", [1, 0.505, 0.01, 0.01]),
    ],
)
def test_rates_fall_to_a_hundredth_and_stay(schedule: str, expected: list[float]) -> None:
    wanted = Optimiser(learning_rate=0.5, schedule=schedule, schedule_epochs=10)
    rates = [rate_in(epoch, wanted) / 0.5 for epoch in (1, 6, 11, 50)]
    assert rates == pytest.approx(expected)


def test_cosine_falls_late_and_linear_evenly() -> None:
    quarter = [
        rate_in(3, Optimiser(learning_rate=1, schedule=schedule, schedule_epochs=8))
        for schedule in ("linear", "cosine")
    ]
    assert quarter == pytest.approx([0.7525, 0.01 + 0.99 * (1 + 2**-0.5) / 2])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_optimisers_by_name(name: str, kind: type) -> None:
    wanted = Optimiser(name=name, learning_rate=0.25, weight_decay=0.125)
    made = new_optimiser(nn.Linear(2, 2), wanted)
    assert type(made) is kind
    assert (made.defaults["lr"], made.defaults["weight_decay"]) == (0.25, 0.125)


def test_the_schedule_is_kept_by_the_refit(flow_rows: Rows) -> None:
    """What is learnt up to the best epoch does not depend on how many were planned after it."""
    spec = Architecture(optimiser=Optimiser(schedule="cosine", schedule_epochs=6))
    rows, found = flow_rows({"a": 6, "b": 6}), []
    for epochs in (3, 9):
        model = Cnn(CnnSettings(architecture=spec, epochs=epochs))
        model.fit(rows, labels_of(rows), masks=(), seed=0, validation=None, progress=silent)
        found.append([epoch.loss for epoch in model.curve])
    assert found[0] == found[1][:3]


def test_a_training_that_diverges_is_refused(flow_rows: Rows) -> None:
    optimiser = {"name": "sgd", "learning_rate": 10}
    model = Cnn.configured({"architecture": {"optimiser": optimiser}})
    rows = flow_rows({"a": 20, "b": 20})
    with pytest.raises(InputError, match=r"diverged: after epoch .* smaller learning_rate than 10"):
        model.fit(
            rows, labels_of(rows), masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent
        )


# --- the loss on validation ----------------------------------------------------------------------


def test_the_loss_is_that_of_torch() -> None:
    rng = np.random.default_rng(0)
    said, truth, weights = rng.normal(size=(7, 3)), np.array([0, 1, 2, 2, 1, 0, 2]), [1.0, 0.5, 3.0]
    expected = nn.CrossEntropyLoss(torch.tensor(weights).double())(
        torch.from_numpy(said), torch.from_numpy(truth)
    )
    assert weighted_loss(said, truth, np.array(weights)) == pytest.approx(float(expected))


def test_rows_of_unknown_classes_have_no_loss() -> None:
    said, weights = np.array([[9.0, 0.0], [0.0, 9.0]]), np.ones(2)
    assert weighted_loss(said, np.array([-1, 1]), weights) == pytest.approx(np.log1p(np.exp(-9)))
    assert weighted_loss(said, np.array([-1, -1]), weights) is None


def test_the_curve_holds_the_loss_of_its_weights(flow_rows: Rows) -> None:
    rows, validation = flow_rows({"a": 20, "b": 20}), flow_rows({"a": 5, "b": 5}, seed=1)
    model = Cnn(CnnSettings(channels=8, epochs=1))
    model.fit(
        rows,
        labels_of(rows),
        masks=DEFAULT_MASKS,
        seed=0,
        validation=(validation, labels_of(validation)),
        progress=silent,
    )
    said = logits(model.network, model.inputs.arrays(validation))
    truth = np.array([0] * 5 + [1] * 5)
    (line,) = model.curve
    assert isinstance(line, CnnEpoch)
    assert line.validation_loss == pytest.approx(weighted_loss(said, truth, np.ones(2)))


# --- curves in little ----------------------------------------------------------------------------


def test_a_short_curve_is_kept_whole() -> None:
    found = learning_of(lines([0.5, 0.75, 0.75, 0.25]), planned=9)
    assert (found.best_epoch, found.stopped_early) == (2, True)
    assert [line["epoch"] for line in found.curve] == [1, 2, 3, 4]
    assert found.curve[2] == {
        "epoch": 3,
        "loss": 0.3333,
        "validation_macro_f1": 0.75,
        "validation_loss": 0.1235,
    }


@pytest.mark.parametrize("count", [51, 52, 99, 1234])
@pytest.mark.parametrize("best", [1, 7, 38, 51])
def test_a_long_one_is_thinned_around_its_ends_and_its_best(count: int, best: int) -> None:
    scores: list[float | None] = [0.5] * count
    scores[best - 1] = 0.9
    found = learning_of(lines(scores), planned=count)
    epochs = [line["epoch"] for line in found.curve]
    assert len(epochs) <= MOST_POINTS
    assert {1, best, count} <= set(epochs)
    assert epochs == sorted(set(epochs))
    assert max(np.diff(epochs)) <= 2 * count / MOST_POINTS + 1
    assert not found.stopped_early


def test_without_validation_the_last_epoch_counts() -> None:
    found = learning_of(lines([None] * 3), planned=3)
    assert (found.best_epoch, found.stopped_early) == (3, False)


# --- prices --------------------------------------------------------------------------------------


def test_the_default_is_the_unit_of_work() -> None:
    for shape in (FLOWS, InputShape(columns=9), InputShape(packets=1, payload=1, protocols=40)):
        assert relative_work(Architecture(), shape, 5) == pytest.approx(1)


def test_more_to_compute_takes_longer() -> None:
    widths = [CnnSettings(channels=n).resolved() for n in (8, 64, 128, 512)]
    times = [relative_work(spec, FLOWS, 10) for spec in widths]
    assert times == sorted(times)
    assert times[0] < 0.6 and 2 < times[2] < 4 and times[3] > 15
    assert relative_work(SHIPPED["small"], FLOWS, 10) < 0.5
    assert relative_work(Architecture(batch_size=1), FLOWS, 10) > 5


def test_operations_are_counted_by_hand() -> None:
    spec = SHIPPED["small"]
    packets, payload = 20 * 32 * 3 * 5 * 8, 48 * 32 * 3 * 8
    head = 4 * 32 * 64 + 64 * 10
    assert total_cost(spec, FLOWS, 10).operations == packets + payload + head


def test_memory_grows_with_batches_and_with_weights() -> None:
    cost = total_cost(Architecture(), FLOWS, 10)
    assert memory_mb(cost, 4096) - memory_mb(cost, 2048) == pytest.approx(
        2 * 4 * 2048 * cost.floats / 1e6, abs=1
    )
    wide = total_cost(CnnSettings(channels=2048).resolved(), FLOWS, 10)
    assert memory_mb(wide, 64) > 5 * 4 * wide.parameters / 1e6


@pytest.mark.parametrize("kind", ["flow_rows", "table_rows"])
def test_the_price_is_of_the_rows_at_hand(kind: str, request: pytest.FixtureRequest) -> None:
    rows = request.getfixturevalue(kind)({"a": 3, "b": 3})
    price = price_of(CnnSettings(channels=128), rows, DEFAULT_MASKS, 2)
    assert 1.5 < price.times < 4
    assert price.memory_mb > price_of(CnnSettings(), rows, DEFAULT_MASKS, 2).memory_mb
    dilated = CnnSettings(architecture=Architecture(packets=LONG, columns=LONG))
    with pytest.raises(InputError, match="spans 9 places"):
        price_of(dilated, rows, DEFAULT_MASKS, 2)


LONG = (Block(dilation=4),)
