import pyarrow as pa
import pytest

from pipelines.augment.gate.identifiers import identifiers
from pipelines.datasets.fields import COLUMN, LABEL, field

MASKS = ("addresses", "macs", "names", "ports", "time")


def rows(group: str, hidden: pa.Array, cells: pa.Array) -> pa.Table:
    schema = [
        field("label", pa.string(), LABEL),
        field("hidden", hidden.type, group),
        field("cell", cells.type, COLUMN),
    ]
    return pa.Table.from_arrays(
        [pa.array(["a"] * len(cells)), hidden, cells], schema=pa.schema(schema)
    )


def found(group: str, hidden: pa.Array, cells: pa.Array) -> list[int] | None:
    """The rows that are objected to, None if nobody can say."""
    real = rows(group, hidden, pa.nulls(len(hidden), cells.type))
    check = identifiers(real, rows(group, pa.nulls(len(cells), hidden.type), cells), MASKS)
    return None if check.passed is None else check.rows


ADDRESS = pa.array(["192.168.7.20", "10.1.2.3"])


@pytest.mark.parametrize(
    ("cell", "leaks"),
    [
        ("192.168.7.20", True),
        ("GET http://192.168.7.20:8080/index", True),
        ("from 10.1.2.3.", True),
        ("192.168.7.2", False),
        ("192.168.7.201", False),
        ("nothing", False),
        (None, False),
    ],
)
def test_addresses_are_found_as_words(cell, leaks) -> None:
    assert found("addresses", ADDRESS, pa.array([None, cell], pa.string())) == (
        [1] if leaks else []
    )


def test_capitals_do_not_hide_a_name() -> None:
    assert found("names", pa.array(["Alice.Example"]), pa.array(["mail alice.EXAMPLE now"])) == [0]


def test_a_name_of_several_words_is_found_as_a_whole_cell() -> None:
    assert found("names", pa.array(["Alice B. Example"]), pa.array(["alice b. example"])) == [0]


def test_short_texts_name_nobody() -> None:
    assert found("names", pa.array(["http", "server-of-bob"]), pa.array(["http"])) == []


def test_binary_addresses_are_found_as_text_in_readable_bytes() -> None:
    hidden = pa.array([bytes(10) + b"\xff\xff" + bytes([10, 20, 30, 40])], pa.binary(16))
    cells = pa.array([b"Host: 10.20.30.40\r\n\0", b"Host: 10.20.30.41\r\n\0"], pa.binary(20))
    assert found("addresses", hidden, cells) == [0]


def test_binary_addresses_are_found_as_cells() -> None:
    hidden = pa.array([bytes(range(16))], pa.binary(16))
    cells = pa.array([bytes(16), bytes(range(16))], pa.binary(16))
    assert found("addresses", hidden, cells) == [1]


def test_an_address_of_version_6_is_found_as_text() -> None:
    hidden = pa.array([bytes([0x20, 1, 0x0D, 0xB8] + [0] * 11 + [1])], pa.binary(16))
    assert found("addresses", hidden, pa.array(["to 2001:db8::1 now", "2001:db8::2"])) == [0]


def test_macs_are_found_as_numbers_and_as_text() -> None:
    hidden = pa.array([0x0011223344AA], pa.uint64())
    assert found("macs", hidden, pa.array([0x0011223344AA, 7], pa.int64())) == [0]
    assert found("macs", hidden, pa.array([float(0x0011223344AA)])) == [0]
    assert found("macs", hidden, pa.array(["at 00:11:22:33:44:aa"])) == [0]


def test_small_numbers_name_nobody() -> None:
    assert found("addresses", pa.array([443, 1 << 30]), pa.array([443, 5])) == []


def test_ports_and_times_are_no_identifiers() -> None:
    assert found("ports", pa.array([4_000_000]), pa.array([4_000_000])) is None
    assert found("time", pa.array([1_700_000_000]), pa.array([1_700_000_000])) is None


def test_what_is_not_masked_is_a_feature() -> None:
    one = rows("addresses", ADDRESS, pa.array(["x", "y"]))
    assert identifiers(one, one, ()).passed is None


def test_the_check_says_where() -> None:
    made = rows("addresses", pa.nulls(4, pa.string()), pa.array(["10.1.2.3", "x", "y", "z"]))
    check = identifiers(rows("addresses", ADDRESS, pa.array(["x", "y"])), made, MASKS)
    assert (check.value, check.bar, check.passed) == (0.25, 0.0, False)
    assert check.words == "1 holds an identifier of a real row, in cell"


def test_lists_of_numbers_are_passed_over() -> None:
    cells = pa.array([[1, 2]], pa.list_(pa.int32(), 2))
    assert found("addresses", ADDRESS, cells) == []
