"""The network by specification: golden default, any specification, shipped ones, files."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from pipelines.datasets.fields import DEFAULT_MASKS, field
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.models.cnn.architecture import MOST_WIDTH, Architecture, Block, Optimiser
from pipelines.models.cnn.cost import InputShape, total_cost
from pipelines.models.cnn.limits import MOST_PARAMETERS, check_architecture
from pipelines.models.cnn.model import Cnn
from pipelines.models.cnn.network import build_network
from pipelines.models.cnn.settings import CnnSettings
from pipelines.models.cnn.shipped import SHIPPED, by_name
from pipelines.models.cnn.training import logits, one_thread, seeded, train
from pipelines.models.registry import load_model, new_model
from pipelines.progress import silent

Rows = Callable[..., pa.Table]

FLOWS = InputShape(packets=20, payload=96)
RECORDS = InputShape(columns=7)
PACKETS, BYTES = 12, 32


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    with one_thread():
        yield


def flows(count: int) -> pa.Table:
    """``count`` flows of each of two classes, long enough for every shipped architecture."""
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * count
    lengths = [
        [60 if label == "a" else -900, *rng.integers(40, 99, PACKETS - 1)] for label in labels
    ]
    columns = [
        (field("label", pa.string(), "label"), labels),
        (field("protocol", pa.uint8(), "protocol"), [6] * len(labels)),
        (field("packet_length", pa.list_(pa.int32(), PACKETS), "sizes"), lengths),
        (field("payload", pa.binary(BYTES), "payload"), [rng.bytes(BYTES) for _ in labels]),
    ]
    return pa.Table.from_arrays(
        [pa.array(values, column.type) for column, values in columns],
        schema=pa.schema([column for column, _ in columns]),
    )


def fitted(rows: pa.Table, masks: tuple[str, ...] = DEFAULT_MASKS, **given: Any) -> Cnn:
    model = Cnn.configured({"epochs": 2, **given})
    model.fit(rows, labels_of(rows), masks=masks, seed=3, validation=None, progress=silent)
    return model


# --- the default ---------------------------------------------------------------------------------

# Of the network before there were specifications: seed 3, two epochs on 12 rows a class.
GOLDEN = {
    "flow_rows": (
        90_242,
        [0.6958754062652588, 0.6716048717498779],
        [0.4998876680638914, 0.4946743368790451, 0.49411472525470046],
    ),
    "table_rows": (
        32_418,
        [0.6950241923332214, 0.6516214609146118],
        [0.5189721499909437, 0.5274533755313932, 0.5480140398760664],
    ),
}
SHAPES = {
    "flow_rows": {
        "token_embeddings.0.weight": (3, 16),
        "token_embeddings.1.weight": (34, 16),
        "token_embeddings.2.weight": (256, 16),
        "token_embeddings.3.weight": (22, 16),
        "token_embeddings.4.weight": (256, 16),
        "byte_embedding.weight": (257, 16),
        "packet_positions": (4, 80),
        "byte_positions": (16, 16),
        "packet_layers.0.weight": (64, 80, 3),
        "packet_layers.0.bias": (64,),
        "packet_layers.2.weight": (64, 64, 3),
        "packet_layers.2.bias": (64,),
        "byte_layers.0.weight": (64, 16, 3),
        "byte_layers.0.bias": (64,),
        "byte_layers.2.weight": (64, 64, 3),
        "byte_layers.2.bias": (64,),
        "head.1.weight": (128, 256),
        "head.1.bias": (128,),
        "head.4.weight": (2, 128),
        "head.4.bias": (2,),
    },
    "table_rows": {
        "scales": (5, 16),
        "shifts": (5, 16),
        "layers.0.weight": (64, 16, 3),
        "layers.0.bias": (64,),
        "layers.2.weight": (64, 64, 3),
        "layers.2.bias": (64,),
        "head.1.weight": (128, 128),
        "head.1.bias": (128,),
        "head.4.weight": (2, 128),
        "head.4.bias": (2,),
    },
}


@pytest.mark.parametrize("given", [{}, {"architecture": {}}, {"architecture": SHIPPED["default"]}])
@pytest.mark.parametrize("kind", GOLDEN)
def test_the_default_is_the_network_that_there_was(
    kind: str, given: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    rows = request.getfixturevalue(kind)({"a": 12, "b": 12})
    model = fitted(rows, **given)
    count, losses, probabilities = GOLDEN[kind]
    weights = model.network.state_dict()
    assert {name: tuple(value.shape) for name, value in weights.items()} == SHAPES[kind]
    assert model.parameters == count
    assert [epoch.loss for epoch in model.curve] == pytest.approx(losses, rel=1e-4)
    assert model.predict_proba(rows)[:3, 0] == pytest.approx(probabilities, rel=1e-4)


@pytest.mark.parametrize("channels", [4, 64, 2048])
def test_channels_are_the_width_of_the_plain_network(channels: int) -> None:
    plain = CnnSettings(channels=channels).resolved()
    assert {b.width for b in (*plain.packets, *plain.payload, *plain.columns)} == {channels}
    assert plain.protocols == 2 * channels
    check_architecture(plain, FLOWS, 20)


def test_every_plain_setting_goes_into_the_architecture() -> None:
    given = {
        "embedding": 5, "payload_packets": 2, "payload_bytes": 7, "dropout": 0.25, "batch_size": 9,
    }  # fmt: skip
    plain = CnnSettings(kernel=5, learning_rate=0.5, weight_decay=0.125, **given).resolved()
    assert plain.model_dump(include=set(given)) == given
    assert {block.kernel for block in plain.columns} == {5}
    assert (plain.optimiser.learning_rate, plain.optimiser.weight_decay) == (0.5, 0.125)


def test_an_architecture_takes_the_place_of_the_plain_settings() -> None:
    spec = Architecture(head=17)
    assert CnnSettings(channels=8, architecture=spec).resolved() == spec


# --- any specification ---------------------------------------------------------------------------


def blocks(width: int, kernel: int, stride: int, dilation: int, pool: int) -> Any:
    return st.fixed_dictionaries(
        {
            "width": st.integers(1, width),
            "kernel": st.integers(1, kernel),
            "stride": st.integers(1, stride),
            "dilation": st.integers(1, dilation),
            "norm": st.sampled_from(["none", "batch", "layer"]),
            "residual": st.booleans(),
            "pool": st.sampled_from([1, 1, pool]),
            "dropout": st.sampled_from([0.0, 0.4]),
        }
    )


def odd_where_summed(block: dict[str, Any]) -> dict[str, Any]:
    return block | {"kernel": block["kernel"] | 1} if block["residual"] else block


def architectures(block: Any, fewest: int, most: int, embedding: int, head: int) -> Any:
    """Specifications as JSON values, whether they make sense or not."""
    stack = st.lists(block, min_size=fewest, max_size=most)
    return st.fixed_dictionaries(
        {
            "embedding": st.integers(1, embedding),
            "packets": stack,
            "payload": st.just([]) | stack,
            "columns": st.lists(block, min_size=1, max_size=most),
            "protocols": st.integers(1, head),
            "pooling": st.sampled_from(["both", "max", "mean", "attention"]),
            "head": st.integers(1, head),
            "dropout": st.sampled_from([0.0, 0.3]),
            "batch_size": st.integers(2 - (fewest == 0), 8),
            "optimiser": st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["adamw", "adam", "sgd"]),
                    "learning_rate": st.sampled_from([1e-3, 1e-2]),
                    "schedule": st.sampled_from(["constant", "cosine", "linear"]),
                    "schedule_epochs": st.integers(1, 3),
                }
            ),
        }
    )


LITTLE = architectures(blocks(9, 4, 2, 2, 2).map(odd_where_summed), 1, 3, embedding=5, head=9)
LARGE = architectures(blocks(1500, 7, 3, 3, 2).map(odd_where_summed), 1, 4, embedding=99, head=999)
WILD = architectures(blocks(MOST_WIDTH, 31, 8, 64, 16), 0, 12, embedding=1024, head=MOST_WIDTH)
SEQUENCES = st.builds(
    InputShape,
    packets=st.integers(1, 30),
    payload=st.integers(1, 100),
    protocols=st.sampled_from([0, 6]),
) | st.builds(InputShape, columns=st.integers(1, 60))


def specified(values: dict[str, Any]) -> Architecture | None:
    """The specification, or None if it is refused as such."""
    try:
        return Cnn.configured({"architecture": values}).settings.resolved()
    except InputError:
        return None


def accepted(spec: Architecture, shape: InputShape, classes: int) -> bool:
    """Whether it may be built for such rows; any refusal says how to mend it."""
    try:
        check_architecture(spec, shape, classes)
    except InputError as refusal:
        assert refusal.message.endswith(".") and refusal.mend.endswith(".")
        return False
    return True


def some_inputs(shape: InputShape, rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    if shape.columns:
        return [rng.normal(size=(rows, shape.columns)).astype(np.float32)]
    packets = rng.integers(0, 3, (rows, shape.packets, 5)).astype(np.int16)
    payload = rng.integers(0, 257, (rows, shape.payload)).astype(np.int16)
    said = rng.normal(size=(rows, shape.protocols)).astype(np.float32)
    return [packets, payload, *([said] if shape.protocols else [])]


def as_tensor(array: np.ndarray) -> torch.Tensor:
    value = torch.from_numpy(array)
    return value if value.is_floating_point() else value.long()


@settings(max_examples=100, deadline=None)
@given(values=WILD, shape=SEQUENCES)
def test_what_is_within_bounds_is_accepted_or_refused(
    values: dict[str, Any], shape: InputShape
) -> None:
    spec = specified(values)
    if spec is not None and accepted(spec, shape, 11):
        assert 0 < total_cost(spec, shape, 11).parameters <= MOST_PARAMETERS


@settings(max_examples=80, deadline=None)
@given(values=LITTLE, shape=SEQUENCES, rows=st.integers(3, 9))
def test_what_is_not_refused_is_trained(
    values: dict[str, Any], shape: InputShape, rows: int
) -> None:
    spec = specified(values)
    if spec is None or not accepted(spec, shape, 3):
        return
    inputs, numbers = some_inputs(shape, rows), np.arange(rows) % 3
    with seeded(0):
        network = build_network(spec, shape, 3)
        before = {name: value.clone() for name, value in network.named_parameters()}
        curve = train(
            network,
            inputs,
            numbers,
            validation=(inputs, numbers),
            settings=CnnSettings(epochs=2, architecture=spec),
            progress=silent,
        )
    assert all(np.isfinite(epoch.loss) for epoch in curve)
    changed = [name for name, value in network.named_parameters() if not value.equal(before[name])]
    assert "head.4.bias" in changed
    assert sum(value.numel() for value in before.values()) == total_cost(spec, shape, 3).parameters


@settings(max_examples=60, deadline=None)
@given(values=LARGE, shape=SEQUENCES)
def test_the_size_is_told_exactly_without_building(
    values: dict[str, Any], shape: InputShape
) -> None:
    """On the meta device a network has shapes but no numbers."""
    spec = specified(values)
    if spec is None or not accepted(spec, shape, 11):
        return
    with torch.device("meta"):
        network = build_network(spec, shape, 11)
        inputs = [as_tensor(array).to("meta") for array in some_inputs(shape, 2)]
    assert network(*inputs).shape == (2, 11)
    built = sum(value.numel() for value in network.parameters())
    assert built == total_cost(spec, shape, 11).parameters


def kept_bytes(network: nn.Module, inputs: list[torch.Tensor]) -> int:
    """What a forward pass keeps for the backward one, weights left out."""
    weights = {value.untyped_storage().data_ptr() for value in network.parameters()}
    kept: dict[int, int] = {}

    def pack(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        network(*inputs)
    return sum(kept.values())


@settings(max_examples=40, deadline=None)
@given(values=LITTLE, shape=SEQUENCES)
def test_training_keeps_no_more_than_was_told(values: dict[str, Any], shape: InputShape) -> None:
    spec = specified(values)
    if spec is None or not accepted(spec, shape, 3):
        return
    rows = 16
    inputs = [as_tensor(array) for array in some_inputs(shape, rows)]
    kept = kept_bytes(build_network(spec, shape, 3), inputs)
    assert kept <= 2 * 4 * rows * total_cost(spec, shape, 3).floats


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shape", "message", "mend"),
    [
        (
            {"packets": [Block(pool=4), Block(kernel=7)]},
            FLOWS,
            "packets block 2: its kernel spans 7 places, but the sequence has 5 there.",
            "that span 5 at most",
        ),
        (
            {"payload": [Block(stride=8), Block(kernel=3, dilation=6)]},
            FLOWS,
            "payload block 2: its kernel spans 13 places, but the sequence has 12 there.",
            "a dilation",
        ),
        (
            {"columns": [Block(pool=4), Block(pool=2)]},
            RECORDS,
            "columns block 2: it pools 2 places into one, but the sequence has 1 there",
            "Set its pool to 1 or less",
        ),
        (
            {"packets": [], "payload": []},
            FLOWS,
            "reads neither packets nor payload",
            "architecture.packets and architecture.payload",
        ),
        (
            {"payload": [Block(), Block(width=4096, kernel=31), Block(width=4096)]},
            FLOWS,
            "would have 59,581,268 parameters; 50,000,000 are allowed.",
            "Most of them are in payload block 3",
        ),
        (
            {"payload": [Block(width=2048, kernel=1)], "batch_size": 8192},
            FLOWS,
            "MB of memory; 8,000 are allowed.",
            "payload block 1: make it narrower, .* smaller batch_size than 8192",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_mend(
    given: dict[str, Any], shape: InputShape, message: str, mend: str
) -> None:
    with pytest.raises(InputError) as refused:
        check_architecture(Architecture(**given), shape, 20)
    assert message in refused.value.message
    assert re.search(mend, refused.value.mend)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"packets": [{"kernel": 4, "residual": True}]}, "packets.0.*take kernel 3"),
        ({"packets": [{"norm": "batch"}], "batch_size": 1}, "batches of two rows at least"),
        ({"packets": [{"width": 0}]}, "packets.0.width"),
        ({"packets": [{"width": MOST_WIDTH + 1}]}, "packets.0.width"),
        ({"packets": [{}] * 13}, "packets.*at most 12"),
        ({"columns": []}, "columns"),
        ({"pooling": "sum"}, "pooling"),
        ({"optimiser": {"name": "eval('1')"}}, "optimiser.name"),
        ({"optimiser": {"learning_rate": float("nan")}}, "optimiser.learning_rate"),
        ({"optimiser": {"learning_rate": float("inf")}}, "optimiser.learning_rate"),
        ({"activation": "gelu"}, "activation"),
    ],
)
def test_what_is_out_of_bounds_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"architecture.*{said}"):
        new_model("cnn", {"architecture": given})


def test_the_last_width_that_fits_is_accepted() -> None:
    fits, does_not = (Architecture(columns=(Block(width=n, kernel=1),) * 4) for n in (4030, 4045))
    sizes = [total_cost(spec, RECORDS, 2).parameters for spec in (fits, does_not)]
    assert 0.99 * MOST_PARAMETERS < sizes[0] <= MOST_PARAMETERS < sizes[1]
    check_architecture(fits, RECORDS, 2)
    with pytest.raises(InputError, match="parameters"):
        check_architecture(does_not, RECORDS, 2)


def test_padding_lets_a_kernel_of_three_read_one_packet() -> None:
    check_architecture(Architecture(), InputShape(packets=1, payload=1), 2)
    with pytest.raises(InputError, match="spans 4 places"):
        spec = Architecture(packets=(Block(kernel=4),))
        check_architecture(spec, InputShape(packets=1, payload=1), 2)


def test_it_is_refused_before_anything_is_built() -> None:
    huge = [{"width": 4096, "kernel": 11}] * 12
    with pytest.raises(InputError, match="parameters"):
        fitted(flows(2), architecture={"packets": huge})


@pytest.mark.parametrize(
    ("given", "masks", "said"),
    [
        ({"packets": []}, (*DEFAULT_MASKS, "payload"), "reads payload alone.*packets blocks"),
        ({"payload": []}, ("sizes", "protocol"), "reads packets alone.*payload blocks"),
    ],
)
def test_nothing_but_what_is_masked_is_no_network(
    given: dict[str, Any], masks: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        fitted(flows(2), masks, architecture=given)


@pytest.mark.parametrize("left_out", ["packets", "payload"])
def test_a_sequence_that_is_left_out_changes_nothing(left_out: str) -> None:
    rows = flows(4)
    model = fitted(rows, architecture={left_out: []})
    inputs = model.inputs.arrays(rows)
    before = logits(model.network, inputs)
    place = ["packets", "payload"].index(left_out)
    without = [np.zeros_like(array) if n == place else array for n, array in enumerate(inputs)]
    assert (logits(model.network, without) == before).all()
    other = [array if n == place else np.zeros_like(array) for n, array in enumerate(inputs)]
    assert (logits(model.network, other) != before).any()


# --- what blocks do ------------------------------------------------------------------------------


def test_a_residual_block_of_zeros_hands_on_its_input() -> None:
    spec = Architecture(embedding=6, columns=(Block(width=6, residual=True),), pooling="max")
    network = build_network(spec, RECORDS, 2)
    for weights in network.layers.parameters():
        nn.init.zeros_(weights)
    sequence = torch.randn(2, 6, 7)
    assert network.layers(sequence).equal(sequence)


def test_places_weigh_as_attention_says() -> None:
    spec = Architecture(columns=(Block(width=3),), pooling="attention")
    pooling = build_network(spec, RECORDS, 2).pooling
    sequence = torch.randn(4, 3, 7)
    nn.init.zeros_(pooling.score.weight)
    assert torch.allclose(pooling(sequence), sequence.mean(dim=2))
    pooling.score.weight.data[0, 1] = 1e4
    chosen = sequence[:, 1].argmax(dim=1)
    assert torch.allclose(pooling(sequence), sequence[torch.arange(4), :, chosen])


def test_a_row_that_is_left_over_is_learnt_with_others() -> None:
    """Of one row with one place there is no deviation to normalise by."""
    spec = Architecture(columns=(Block(width=4, norm="batch"),), batch_size=2)
    shape = InputShape(columns=1)
    with seeded(0):
        network = build_network(spec, shape, 2)
        chosen = CnnSettings(epochs=1, architecture=spec)
        inputs, numbers = some_inputs(shape, 5), np.array([0, 1, 0, 1, 0])
        train(network, inputs, numbers, validation=None, settings=chosen, progress=silent)
    assert int(network.layers[1].num_batches_tracked) == 2


def test_widened_is_twice_as_wide_and_no_wider_than_allowed() -> None:
    spec = Architecture(packets=(Block(width=3), Block(width=4000, kernel=1)), protocols=5)
    wide = spec.widened()
    assert [block.width for block in wide.packets] == [6, MOST_WIDTH]
    assert (wide.protocols, wide.payload[0].stride, wide.head) == (10, 2, spec.head)
    assert Architecture.model_validate(wide.model_dump()) == wide
    assert CnnSettings(channels=64).resolved().widened() == CnnSettings(channels=128).resolved()


# --- shipped -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_one_learns_flows_and_is_saved(name: str, tmp_path: Path) -> None:
    rows = flows(10)
    model = fitted(rows, epochs=12, architecture=SHIPPED[name])
    assert model.curve[-1].loss < model.curve[0].loss
    model.save(tmp_path)
    again = load_model(tmp_path)
    assert (again.predict_proba(rows) == model.predict_proba(rows)).all()
    assert again.settings.resolved() == SHIPPED[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_one_learns_tables(name: str, table_rows: Rows) -> None:
    model = fitted(table_rows({"a": 20, "b": 20}), epochs=12, architecture=SHIPPED[name])
    assert model.curve[-1].loss < model.curve[0].loss


def test_names_stand_for_shipped_ones() -> None:
    assert by_name("wide") is SHIPPED["wide"]
    assert by_name(None) is None
    assert SHIPPED["wide"] == CnnSettings(channels=256).resolved()
    with pytest.raises(ValueError, match="called 'wider'; there are default, small, wide"):
        by_name("wider")


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"architecture": {"head": 9}}])
def test_the_card_carries_the_architecture(given: dict[str, Any], tmp_path: Path) -> None:
    model = fitted(flows(3), channels=8, **given)
    model.save(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    carried = Architecture.model_validate(card["settings"]["architecture"])
    assert carried == model.settings.resolved()


@pytest.mark.parametrize("kind", GOLDEN)
def test_a_model_that_was_saved_before_there_were_architectures_is_read(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = request.getfixturevalue(kind)({"a": 4, "b": 4})
    model = fitted(rows, channels=8, embedding=4)
    model.save(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    del card["settings"]["architecture"]
    (tmp_path / "card.json").write_text(json.dumps(card))
    assert (load_model(tmp_path).predict_proba(rows) == model.predict_proba(rows)).all()


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        ({"head": 9}, "does not hold a network"),
        ({"columns": [{"width": 4096, "kernel": 31}] * 12}, "parameters"),
        ({"columns": "rm -rf"}, "architecture.columns"),
    ],
)
def test_an_architecture_that_is_not_the_weights_is_refused(
    claimed: dict[str, Any], said: str, tmp_path: Path, table_rows: Rows
) -> None:
    fitted(table_rows({"a": 2, "b": 2}), channels=4).save(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    card["settings"]["architecture"] |= claimed
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=said):
        load_model(tmp_path)


def test_the_refit_has_the_same_architecture() -> None:
    model = Cnn(CnnSettings(architecture=SHIPPED["dilated"]))
    assert model.for_refit().settings.architecture == SHIPPED["dilated"]


def test_specifications_are_data_and_cannot_be_changed() -> None:
    spec = Architecture.model_validate_json(SHIPPED["dilated"].model_dump_json())
    assert spec == SHIPPED["dilated"]
    with pytest.raises(ValidationError):
        spec.head = 5
    assert Optimiser().model_dump()["name"] == "adamw"


def test_one_feature_map_is_not_normalised_within_itself() -> None:
    """With one row and one place torch refuses it, in the middle of a training."""
    with pytest.raises(ValueError, match="take a width of two"):
        Block(width=1, norm="layer")
    assert Block(width=2, norm="layer").width == 2
