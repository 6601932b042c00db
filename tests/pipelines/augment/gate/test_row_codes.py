import pyarrow as pa


def test_equal_rows_have_equal_codes_whatever_their_label(plain, pair_of) -> None:
    real = plain(labels=["a", "b"], x=[1.0, None], c=["u", None])
    made = plain(labels=["b", "a", "a"], x=[1.0, None, 1.0], c=["u", None, "v"])
    one, other = pair_of(real, made).codes
    assert one.tolist() == other[:2].tolist()
    assert len({*one.tolist(), *other.tolist()}) == 3


def test_lists_and_bytes_belong_to_the_code(made_flows, pair_of) -> None:
    rows = made_flows(6)
    one, other = pair_of(rows, rows.take(pa.array([5, 0]))).codes
    assert other.tolist() == [one[5], one[0]] and len(set(one.tolist())) == 6
