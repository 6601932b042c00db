"""Another network with the same behaviour: identifiers replaced, the same one by the same other.

A model that does not see identifiers gives the same answers in it, to the last digit. One that does
shows how much of its score was this network's, not the traffic's. Names and addresses that payload
bytes hold are left as they are.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.fields import DEFAULT_MASKS, group_of
from pipelines.datasets.group_names import DAY_NS
from pipelines.datasets.keys import Codes, column_codes, matrix, matrix_codes, numbers

MAPPED = b"\0" * 10 + b"\xff\xff"  # an IPv4 address within 16 bytes
MOST_DAYS = 3650
TTLS = 255

Forge = Callable[[pa.Table, list[str], np.random.Generator], dict[str, pa.Array]]


def forge_network(rows: pa.Table, seed: int = 0, groups: Sequence[str] = DEFAULT_MASKS) -> pa.Table:
    """The rows in another network.

    Every address, MAC and port becomes another one, times move by the same number of days, a host's
    TTLs and IP ids move together, a flow's sequence numbers too; checksums follow as if computed
    anew. Identifiers of tables trade values. What is zero, being absent, stays zero. The same seed
    gives the same network.
    """
    for number, group in enumerate(groups):
        names = [column.name for column in rows.schema if group_of(column) == group]
        random = np.random.default_rng([seed, number])
        for name, values in _forge(group)(rows, names, random).items():
            declared = rows.schema.field(name)
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, declared, values.cast(declared.type))
    return rows


def _forge(group: str) -> Forge:
    known: dict[str, Forge] = {
        "addresses": _addresses,
        "macs": _macs,
        "ports": _ports,
        "time": _times,
        "ttl": _ttls,
        "ip_id": _ip_ids,
        "seq_ack": _sequence_numbers,
        "checksums": _checksums,
    }
    return known.get(group, _traded)


def _addresses(
    rows: pa.Table, names: list[str], random: np.random.Generator
) -> dict[str, pa.Array]:
    binary = [name for name in names if pa.types.is_fixed_size_binary(rows.schema.field(name).type)]
    texts = _traded(rows, [name for name in names if name not in binary], random)
    if not binary:
        return texts
    every = np.concatenate([matrix(rows, name) for name in binary])
    distinct, codes = np.unique(every, axis=0, return_inverse=True)
    fresh = random.integers(0, 256, distinct.shape, np.uint8)
    order = random.choice(2**24, len(distinct), replace=False)  # distinct hosts stay distinct
    fresh[:, 13:] = order[:, None] >> np.array([16, 8, 0]) & 255
    ipv4 = (distinct[:, :12] == np.frombuffer(MAPPED, np.uint8)).all(axis=1)
    fresh[ipv4, :12] = np.frombuffer(MAPPED, np.uint8)
    fresh[~distinct.any(axis=1)] = 0
    found = np.split(fresh[codes.ravel()], len(binary))
    return texts | {
        name: pa.array([row.tobytes() for row in part], pa.binary(16))
        for name, part in zip(binary, found, strict=True)
    }


def _macs(rows: pa.Table, names: list[str], random: np.random.Generator) -> dict[str, pa.Array]:
    return _renumbered(rows, names, random, 2**48)


def _ports(rows: pa.Table, names: list[str], random: np.random.Generator) -> dict[str, pa.Array]:
    return _renumbered(rows, names, random, 2**16)


def _renumbered(
    rows: pa.Table, names: list[str], random: np.random.Generator, limit: int
) -> dict[str, pa.Array]:
    """Each number but zero as another one below ``limit``; different ones stay different."""
    if not all(pa.types.is_integer(rows.schema.field(name).type) for name in names):
        return _traded(rows, names, random)
    distinct = np.unique(np.concatenate([[0], *(numbers(rows, name) for name in names)]))
    if limit <= 2**16:
        fresh = random.permutation(limit - 1)[: len(distinct)] + 1
    else:
        fresh = np.unique(random.integers(1, limit, 2 * len(distinct) + 16))
        fresh = random.permutation(fresh)[: len(distinct)]
    fresh = np.where(distinct == 0, 0, fresh)
    return {name: pa.array(fresh[np.searchsorted(distinct, numbers(rows, name))]) for name in names}


def _times(rows: pa.Table, names: list[str], random: np.random.Generator) -> dict[str, pa.Array]:
    moved = random.integers(1, MOST_DAYS) * DAY_NS + random.integers(1, DAY_NS)
    return {
        name: pa.array(numbers(rows, name) + moved)
        for name in names
        if rows.schema.field(name).type == pa.int64()
    }


def _ttls(rows: pa.Table, names: list[str], random: np.random.Generator) -> dict[str, pa.Array]:
    if not {"src_ip", "dst_ip", "src2dst_ttl"} <= set(rows.schema.names):
        return _traded(rows, names, random)
    source, target, hosts = _hosts(rows)
    moved = random.integers(1, TTLS, hosts)
    found = {}
    for name in names:
        ttl = numbers(rows, name).astype(np.int64)
        host = target if name == "dst2src_ttl" else source
        found[name] = pa.array(np.where(ttl > 0, (ttl - 1 + moved[host]) % TTLS + 1, 0))
    return found


def _ip_ids(rows: pa.Table, names: list[str], random: np.random.Generator) -> dict[str, pa.Array]:
    if "src_ip" not in rows.schema.names:
        return _traded(rows, names, random)
    source, _, hosts = _hosts(rows)
    moved = random.integers(1, 2**16, hosts)
    return {name: pa.array(_moved(numbers(rows, name), moved[source], 16)) for name in names}


def _sequence_numbers(
    rows: pa.Table, names: list[str], random: np.random.Generator
) -> dict[str, pa.Array]:
    flows, flow = np.unique(numbers(rows, "flow"), return_inverse=True)
    found = {}
    for name in names:
        if not pa.types.is_integer(rows.schema.field(name).type):
            continue
        moved = random.integers(1, 2**32, len(flows))
        found[name] = pa.array(_moved(numbers(rows, name), moved[flow], 32))
    return found


def _checksums(
    rows: pa.Table, names: list[str], random: np.random.Generator
) -> dict[str, pa.Array]:
    return {
        name: pa.array(_moved(numbers(rows, name), random.integers(1, 2**16, rows.num_rows), 16))
        for name in names
        if pa.types.is_integer(rows.schema.field(name).type)
    }


def _moved(values: npt.NDArray[np.unsignedinteger], by: Codes, bits: int) -> Codes:
    """Counters of ``bits`` bits further on; zero stays zero, and nothing else becomes it."""
    most = 2**bits - 1
    moved = (values.astype(np.int64) - 1 + by) % most + 1
    return np.where(values > 0, moved, 0)


def _traded(rows: pa.Table, names: list[str], random: np.random.Generator) -> dict[str, pa.Array]:
    """Columns whose distinct values change places, the same way in all columns of a type."""
    found: dict[str, pa.Array] = {}
    kinds = {rows.schema.field(name).type for name in names}
    for kind in sorted((kind for kind in kinds if not pa.types.is_nested(kind)), key=str):
        mine = [name for name in names if rows.schema.field(name).type == kind]
        chunks = [chunk for name in mine for chunk in rows[name].chunks]
        every = pa.chunked_array(chunks, kind)
        codes = column_codes(every)
        _, first = np.unique(codes, return_index=True)
        traded = every.take(pa.array(random.permutation(first)))
        shuffled = traded.take(pa.array(codes)).combine_chunks()
        for number, name in enumerate(mine):
            found[name] = shuffled.slice(number * rows.num_rows, rows.num_rows)
    return found


def _hosts(rows: pa.Table) -> tuple[Codes, Codes, int]:
    """Codes of every row's initiator and responder, the same host the same, and how many."""
    both = matrix_codes(np.concatenate([matrix(rows, "src_ip"), matrix(rows, "dst_ip")]))
    return both[: rows.num_rows], both[rows.num_rows :], int(both.max(initial=-1)) + 1
