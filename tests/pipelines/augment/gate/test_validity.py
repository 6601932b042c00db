import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.chance import share_bar, unseen_share
from pipelines.augment.gate.validity import other_schema, validity
from pipelines.datasets.fields import LABEL, field


def many(values: list, times: int = 30) -> list:
    return values * times


def objected(real: pa.Table, synthetic: pa.Table) -> list[int]:
    return validity(real, synthetic, ()).rows


def test_the_share_and_its_bar_on_paper(plain) -> None:
    found = validity(plain(x=many([1.5, 2.5])), plain(x=[1.5, None, 2.0, None]), ())
    assert (found.value, found.bar) == (0.5, share_bar(0.0, 4))
    assert found.passed is False and found.rows == [1, 3]
    assert found.words == "2 are invalid (2 without x)"


def test_what_so_few_real_rows_lack_is_less_certain(plain) -> None:
    """Of 20 values nobody knows the range: 2 of 10 beyond it pass, 2 of 10 without a value fail."""
    real = plain(x=many([1.5, 2.5], 10))
    far = validity(real, plain(x=[99.5] * 2 + [2.0] * 8), ())
    assert (far.value, far.bar) == (0.2, share_bar(unseen_share(20), 10))
    assert far.rows == [0, 1] and far.passed
    none = validity(real, plain(x=[None] * 2 + [2.0] * 8), ())
    assert (none.value, none.bar, none.passed) == (0.2, share_bar(0.0, 10), False)


def test_real_rows_are_valid(world) -> None:
    rows = world(200, 0)
    found = validity(rows, rows, ("addresses",))
    assert found.rows == [] and found.passed


def test_masked_columns_may_be_null(world, put) -> None:
    rows = world(30, 0)
    nothing = put(rows, "src_ip", slice(None), None)
    assert validity(rows, nothing, ("addresses",)).rows == []
    assert len(validity(rows, nothing, ()).rows) == 30


def test_missing_values_are_allowed_where_real_rows_have_some(plain) -> None:
    real = plain(x=many([1.5, 2.5, None]), c=many(["u", "v", None]))
    assert objected(real, plain(x=[None, 1.5], c=[None, "u"])) == []


def test_infinite_is_missing(plain) -> None:
    assert objected(plain(x=many([1.5, 2.5])), plain(x=[np.inf, 1.5, np.nan])) == [0, 2]


def test_a_column_without_values_stays_without(plain) -> None:
    real = plain(x=pa.array([None] * 9, pa.float64()), y=many([1.5, 2.5, 3.5], 3))
    assert objected(real, plain(x=pa.array([None, 4.0], pa.float64()), y=[2.0, 2.0])) == [1]


def test_the_margin_is_ln_100_scales_beyond_the_greatest(plain) -> None:
    """100 values from 0 to e - 1: signed logarithms from 0 to 1, so the margin is 1 at n = 100."""
    real = plain(x=np.linspace(0.001, np.e - 1, 100).tolist())
    inside, outside = np.expm1(1.99), np.expm1(2.01)
    assert objected(real, plain(x=[inside, outside, -inside / 5, -outside])) == [1, 3]


def test_the_margin_passes_a_heavy_tail(plain) -> None:
    random = np.random.default_rng(0)
    real = plain(x=np.exp(3 * random.exponential(size=50)).tolist())
    fresh = plain(x=np.exp(3 * random.exponential(size=2000)).tolist())
    assert len(objected(real, fresh)) <= 2


def test_constant_columns_stay_constant(plain) -> None:
    assert objected(plain(x=many([7e9], 9)), plain(x=[7e9, 7.1e9])) == [1]


def test_counts_are_not_negative_and_stay_whole(plain) -> None:
    real = plain(x=many([0.0, 3.0, 9.0]))
    assert objected(real, plain(x=[4.0, -1.0, 4.5])) == [1, 2]


def test_sizes_are_not_negative_though_they_have_parts() -> None:
    def rows(group: str, values: list[float]) -> pa.Table:
        schema = pa.schema([field("label", pa.string(), LABEL), field("x", pa.float64(), group)])
        return pa.table([["a"] * len(values), values], schema=schema)

    real = [0.0, 0.5, 1.5] * 9
    assert validity(rows("sizes", real), rows("sizes", [-0.1]), ()).rows == [0]
    assert validity(rows("column", real), rows("column", [-0.1]), ()).rows == []
    short = [0.0, 0.5, 0.9] * 9
    assert validity(rows("sizes", short), rows("sizes", [1.2]), ()).rows == [], "no flag"


def test_flags_and_shares_are_at_most_one(plain) -> None:
    """Of zeros and ones nobody can say which they are: a half is allowed."""
    real = plain(x=many([0.0, 1.0], 99))
    assert objected(real, plain(x=[0.0, 0.5, 1.0, 1.5, 2.0, -0.5])) == [3, 4, 5]


def test_few_values_off_the_most_common_one_have_a_wide_margin(plain) -> None:
    """Signed logarithms 0 and 1; the margin is ln 100 / ln 2 = 6.6, not 1, for n is 2."""
    real = plain(x=[0.0] * 98 + [0.5, np.e - 1])
    assert objected(real, plain(x=[np.expm1(7.5), np.expm1(7.7)])) == [1]


def test_a_closed_list_has_no_new_value(plain) -> None:
    assert objected(plain(c=many(["u", "v"])), plain(c=["u", "w", "v"])) == [1]


def test_an_open_list_has(plain) -> None:
    names = [f"host{number}" for number in range(50)]
    assert objected(plain(c=names), plain(c=["host7", "host777"])) == []


def test_new_values_of_a_closed_list_are_expected_as_often_as_single_ones(plain) -> None:
    real = plain(c=["u"] * 60 + ["v"] * 38 + ["x", "y"])
    found = validity(real, plain(c=["w"] * 3 + ["u"] * 97), ())
    assert found.bar == share_bar(0.02 + unseen_share(100), 100) and found.passed
    assert found.rows == [0, 1, 2], "the rows are objected to all the same"


def test_protocol_numbers_are_names() -> None:
    def rows(values: list[int]) -> pa.Table:
        schema = pa.schema([field("label", pa.string(), LABEL), field("p", pa.uint8(), "protocol")])
        return pa.table([["a"] * len(values), values], schema=schema)

    assert validity(rows([6, 17] * 20), rows([6, 11, 17]), ()).rows == [1]


def test_texts_may_say_anything_but_not_nothing() -> None:
    def rows(values: list[str | None]) -> pa.Table:
        text = field("t", pa.string(), "http", text=True)
        schema = pa.schema([field("label", pa.string(), LABEL), text])
        return pa.table([["a"] * len(values), values], schema=schema)

    assert validity(rows(["GET /a"] * 40), rows(["GET /b", None]), ()).rows == [1]


def test_an_unknown_or_missing_class_is_invalid(plain) -> None:
    real = plain(labels=["a", "b"], x=[1.5, 2.5])
    assert objected(real, plain(labels=["a", "c", None], x=[1.5, 1.5, 1.5])) == [1, 2]


def test_rows_that_contradict_themselves_are_invalid(plain) -> None:
    """Every value is one that real rows have; minimum, mean and maximum are out of order."""
    real = plain(size_min=many([1.0, 5.0]), size_mean=many([2.0, 6.0]), size_max=many([3.0, 7.0]))
    found = validity(
        real, plain(size_min=[1.0, 5.0], size_mean=[2.0, 2.0], size_max=[3.0, 3.0]), ()
    )
    assert found.rows == [1] and "out of order" in found.words


def test_a_rule_that_real_rows_break_is_not_held_against_synthetic_ones(plain) -> None:
    real = plain(size_min=many([1.0, 5.0]), size_mean=many([2.0, 2.0]), size_max=many([3.0, 7.0]))
    assert objected(real, plain(size_min=[5.0], size_mean=[2.0], size_max=[7.0])) == []


def test_lists_are_looked_at_place_by_place(plain) -> None:
    kind = pa.list_(pa.int32(), 2)
    real = plain(x=pa.array(many([[1, 1000], [2, 1001]]), kind))
    assert objected(real, plain(x=pa.array([[1, 1000], [1000, 1], None], kind))) == [1, 2]


def test_flows_are_asked_the_rules_of_flows(made_flows) -> None:
    real = made_flows(20)
    wrong = made_flows(3, bidirectional_packets=[9, 9, 8])
    assert validity(real, made_flows(3), ()).rows == []
    assert "do not add up" in validity(real, wrong, ()).words


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"y": [1.0]}, "the column x is missing"),
        ({"x": ["one"]}, "x is string instead of double"),
    ],
)
def test_another_schema_is_said_in_words(plain, columns, words) -> None:
    assert other_schema(plain(x=[1.0, 2.0]).schema, plain(**columns).schema, ()) == words


def test_more_columns_and_another_order_are_no_other_schema(plain) -> None:
    real, synthetic = plain(x=[1.0], c=["u"]), plain(c=["u"], x=[1.0], z=[9])
    assert other_schema(real.schema, synthetic.schema, ()) is None
    assert objected(real, synthetic) == []
