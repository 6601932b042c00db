import numpy as np
import pyarrow as pa
import pytest

from pipelines.augment.gate.gate import GateReport, judge
from pipelines.datasets.fields import field
from pipelines.errors import InputError

MASKS = ("addresses",)


def judged(real: pa.Table, synthetic: pa.Table, **more) -> GateReport:
    return judge(real, synthetic, masks=MASKS, seed=more.pop("seed", 0), **more)


@pytest.fixture(scope="module")
def spoilt(world, put) -> tuple[pa.Table, pa.Table]:
    """20 copies, 10 invalid rows, 10 of another label, and 80 fresh ones."""
    real, made = world(120, 0), world(120, 1)
    made = put(made, "sent", slice(20, 30), -1)
    turn = {"benign": "scan", "scan": "worm", "worm": "benign"}
    labels = made["label"].to_pylist()
    made = put(made, "label", slice(30, 40), [turn[label] for label in labels[30:40]])
    return real, pa.concat_tables([real.slice(0, 20), made.slice(20)])


@pytest.fixture(scope="module")
def report(spoilt) -> GateReport:
    return judged(*spoilt)


def test_copies_invalid_and_contradicted_rows_go(spoilt, report) -> None:
    kept = np.array(report.kept)
    assert not kept[:30].any() and kept[30:40].sum() <= 2
    assert kept[40:].mean() > 0.85


def test_the_verdict_counts_them(report) -> None:
    assert report.verdict.startswith(
        "120 rows: 10 are invalid (10 with a negative sent), 20 are copies"
    )
    assert "bear labels that the real rows contradict" in report.verdict
    assert report.verdict.endswith(".")


def test_kept_rows_are_those_that_no_check_objects_to(report) -> None:
    accused = {row for check in report.checks for row in check.rows}
    assert [row not in accused for row in range(120)] == report.kept


def test_what_is_kept_passes_what_failed(spoilt, report) -> None:
    again = judged(spoilt[0], spoilt[1].filter(pa.array(report.kept)))
    for name in ("validity", "copies"):
        assert report.check(name).passed is False and again.check(name).passed
    assert report.check("label_noise").rows and not again.check("label_noise").rows


def test_a_report_is_json(report) -> None:
    assert GateReport.model_validate_json(report.model_dump_json()) == report


def test_the_same_seed_says_the_same(spoilt, report) -> None:
    assert judged(*spoilt) == report


def test_votes_set_how_hard_to_filter(spoilt) -> None:
    kept = [sum(judged(*spoilt, votes=votes).kept) for votes in (1, 2, 3)]
    assert kept[0] < kept[1] <= kept[2]


def test_nothing_speaks_against_fresh_rows_that_nobody_contradicts(world) -> None:
    found = judged(world(240, 1), world(240, 2).slice(0, 3))
    assert found.verdict == "3 rows: nothing speaks against them."


def test_shuffled_columns_are_called_by_their_name(world) -> None:
    made = world(240, 2)
    labels = np.array(made["label"].to_pylist())
    one = made.filter(pa.array(labels == "worm"))
    random = np.random.default_rng(0)
    columns = [one[name].take(pa.array(random.permutation(80))) for name in one.column_names]
    found = judged(world(240, 1), pa.Table.from_arrays(columns, schema=one.schema))
    assert found.check("marginals").passed
    assert "correlations are gone, as in shuffled columns" in found.verdict


def test_what_a_row_can_be_all_rows_at_hand_say(plain) -> None:
    """Few labelled rows lack a category that others have: it is no fault of made rows."""

    def rows(kinds: str, count: int, seed: int) -> pa.Table:
        random = np.random.default_rng(seed)
        return plain(["a", "b"] * count, x=random.normal(size=2 * count), kind=[*kinds] * count)

    real, made, others = rows("pq", 60, 0), rows("pr", 60, 1), rows("qr", 200, 2)
    known = pa.concat_tables([real, others])
    assert len(judged(real, made).check("validity").rows) == 60
    assert judged(real, made, known=known).check("validity").rows == []


def test_many_faults_are_not_all_told(world) -> None:
    made = world(120, 1)
    labels = pa.array(np.random.default_rng(0).permutation(made["label"].to_pylist()).tolist())
    found = judged(world(120, 0), made.set_column(0, made.schema.field("label"), labels))
    assert found.verdict.count(";") == 4 and "more check" in found.verdict


@pytest.mark.parametrize("which", ["real", "synthetic"])
def test_no_rows_are_refused(world, which) -> None:
    tables = {"real": world(30, 0), "synthetic": world(30, 1)}
    tables[which] = tables[which].slice(0, 0)
    with pytest.raises(InputError, match=which):
        judged(tables["real"], tables["synthetic"])


def test_real_rows_without_a_label_are_refused(world, put) -> None:
    with pytest.raises(InputError, match="label"):
        judged(put(world(30, 0), "label", [3], None), world(30, 1))


def test_another_schema_fails_and_nothing_else_is_checked(world) -> None:
    found = judged(world(30, 0), world(30, 1).drop_columns(["tone"]))
    assert [check.name for check in found.checks] == ["validity"]
    assert found.check("validity").passed is False
    assert found.verdict == "30 rows: the column tone is missing."
    assert not any(found.kept)


def test_a_holdout_of_another_schema_is_refused(world) -> None:
    with pytest.raises(InputError, match="holdout is unlike the real rows: the column tone"):
        judged(world(30, 0), world(30, 1), holdout=world(30, 2).drop_columns(["tone"]))


def test_masked_columns_need_not_be_there(world) -> None:
    found = judged(world(60, 0), world(60, 1).drop_columns(["src_ip"]))
    assert found.check("validity").passed and found.check("identifiers").passed


@pytest.mark.parametrize(("real", "made"), [(3, 3), (3, 100), (100, 3), (1, 1), (12, 1)])
def test_any_number_of_rows_is_judged(world, real, made) -> None:
    found = judged(world(real, 0), world(made, 1), holdout=world(real, 2))
    assert len(found.kept) == made
    assert all(check.words for check in found.checks)


def test_one_class_is_judged(world) -> None:
    made = world(240, 1)
    one = made.filter(pa.array(np.array(made["label"].to_pylist()) == "scan"))
    found = judged(world(240, 0), one)
    assert found.check("label_noise").passed and found.check("marginals").passed
    assert found.check("train_on_synthetic").passed is None
    alone = judged(one, one)
    assert alone.check("label_noise").passed is None
    assert alone.check("copies").passed is False


def test_constant_and_empty_columns_are_judged(world) -> None:
    def more(rows: pa.Table) -> pa.Table:
        rows = rows.append_column("constant", pa.array([7] * rows.num_rows))
        return rows.append_column("empty", pa.nulls(rows.num_rows, pa.float64()))

    found = judged(more(world(120, 0)), more(world(120, 1)))
    assert [check.name for check in found.checks if check.passed is False] == []


def test_a_million_categories_are_bounded(world) -> None:
    def more(rows: pa.Table, first: int) -> pa.Table:
        names = [f"name {first + place}" for place in range(rows.num_rows)]
        return rows.append_column("name", pa.array(names))

    found = judged(more(world(120, 0), 0), more(world(120, 1), 10**6))
    assert found.check("validity").passed, "a column whose values are all new is no closed list"


def test_many_synthetic_rows_are_all_judged(world, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.augment.gate.pair.MOST_ROWS", 90)
    monkeypatch.setattr("pipelines.augment.gate.pair.BATCH_ROWS", 100)
    real, made = world(90, 0), world(600, 1)
    made = pa.concat_tables([made, real.slice(0, 30)])
    found = judged(real, made)
    assert len(found.kept) == 630 and not any(found.kept[600:])
    assert np.mean(found.kept[:600]) > 0.8
    assert found.check("copies").value == pytest.approx(30 / 630)


def test_flows_with_lists_and_payload_are_judged(made_flows) -> None:
    found = judged(made_flows(80, 0), made_flows(80, 1))
    assert [check.name for check in found.checks if check.passed is False] == []
    same = judged(made_flows(80, 0), made_flows(80, 0))
    assert same.check("copies").value == 1


def test_columns_of_any_type_are_judged(world) -> None:
    def more(rows: pa.Table, seed: int) -> pa.Table:
        random = np.random.default_rng(seed)
        draws = random.integers(0, 3, rows.num_rows)
        words = pa.array(np.array(["GET /a", "GET /b x", "POST /c"], object)[draws])
        text = field("request", pa.string(), "http", text=True)
        rows = rows.append_column("code", words.dictionary_encode())
        rows = rows.append_column(text, words)
        rows = rows.append_column("flag", pa.array(draws > 0))
        return rows.append_column("when", pa.array(10**9 * draws, pa.timestamp("ns")))

    found = judged(more(world(120, 0), 0), more(world(120, 1), 1))
    assert [check.name for check in found.checks if check.passed is False] == []
