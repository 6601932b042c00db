import numpy as np

from pipelines.cleaning.examples import Example, examples, one_of_each
from pipelines.cleaning.filters import propose_filters
from pipelines.cleaning.kinds import Pool

SECRET = b"\x0a\x01\x02\x03"
ADDRESS = b"\0" * 10 + b"\xff\xff" + SECRET


def shown(rows, name: str) -> list[Example]:
    proposal = next(one for one in propose_filters(Pool(rows)) if one.filter.name == name)
    return examples(rows, proposal)


def test_one_row_of_each_class_comes_first() -> None:
    assert one_of_each(np.array([2, 0, 0, 0, 1, 2])).tolist() == [1, 4, 0, 2, 5, 3]
    assert one_of_each(np.array([], int)).tolist() == []


def test_no_identifier_and_no_payload_is_shown(make_flows) -> None:
    rows = make_flows(
        list("aab"),
        payload=[b"password=1"] * 3,
        src_ip=[ADDRESS] * 3,
        src_port=[31337] * 3,
        bidirectional_packets=[1] * 3,
    )
    found = shown(rows, "few_packets")
    assert [(one.row, one.label) for one in found] == [(0, "a"), (2, "b"), (1, "a")]
    for one in found:
        assert set(one.values) == {
            *("protocol", "bidirectional_packets", "bidirectional_bytes"),
            "bidirectional_duration_ms",
        }
    text = "".join(one.model_dump_json() for one in found)
    assert "31337" not in text and "password" not in text and "10.1.2.3" not in text


def test_at_most_five_and_the_worst_first(make_table) -> None:
    values = [5.0] * 190 + [-1.0] * 4 + [float("inf")] * 2 + [-2.0] * 4
    found = shown(make_table(["a"] * 200, bytes=values), "implausible_rows")
    assert [one.row for one in found] == [190, 191, 192, 193, 196]
    assert {one.detail for one in found} == {"bytes is negative"}


def test_what_tables_hold_is_made_harmless(make_table) -> None:
    label = "a\x1b[31mred\u202e"
    service = ["\x1b]0;title\x07" + "x" * 500] * 2
    found = shown(make_table([label] * 2, service=service, size=[1.0, 1.0]), "exact_duplicates")
    assert found[0].label == r"a\x1b[31mred\u202e"
    value = found[0].values["service"]
    assert "\x1b" not in value and "\x07" not in value and len(value) <= 60
    assert found[0].values["size"] == "1"


def test_text_to_be_read_is_not_quoted(make_table) -> None:
    from pipelines.datasets.fields import COLUMN, field

    rows = make_table(["a", "a"], request=["GET /secret"] * 2, size=[1.0, 1.0])
    schema = rows.schema.set(
        rows.schema.get_field_index("request"),
        field("request", rows.schema.field("request").type, COLUMN, text=True),
    )
    found = shown(rows.cast(schema), "exact_duplicates")
    assert set(found[0].values) == {"size"}


def test_addresses_among_other_words_are_hidden(make_table) -> None:
    rows = make_table(["a"] * 4, peer=["10.0.0.9"] * 2 + ["proxy"] * 2, size=[1.0] * 4)
    found = shown(rows, "exact_duplicates")
    assert [one.values["peer"] for one in found] == ["(hidden)", "proxy"]


def test_columns_that_identify_are_left_out_of_tables_too(make_table) -> None:
    from pipelines.datasets.fields import field

    rows = make_table(["a", "a"], host=["10.0.0.9"] * 2, size=[1.0, 1.0])
    place = rows.schema.get_field_index("host")
    kind = rows.schema.field(place).type
    rows = rows.cast(rows.schema.set(place, field("host", kind, "addresses")))
    assert set(shown(rows, "exact_duplicates")[0].values) == {"size"}
