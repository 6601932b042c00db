"""Detection over published layouts whose label columns are not there: read as in training."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipelines.datasets.fields import DEFAULT_MASKS, feature_columns
from pipelines.datasets.loaders import kdd, unsw
from pipelines.datasets.sources import open_source
from pipelines.errors import InputError
from pipelines.models.registry import new_model
from pipelines.operate.detect import check_source, detect
from pipelines.operate.detector import Detector, DetectorInfo, package
from pipelines.progress import silent

Rows = Sequence[Sequence[str]]
CLASSES = ("good", "evil")

pytestmark = pytest.mark.usefixtures("small_forests")


def train(source: Path, folder: Path, label: str | None = None) -> Detector:
    """A detector of a table, packed with what its import knows."""
    opened = open_source(source, label)
    (rows,) = opened.tables
    model = new_model("random_forest")
    labels = rows["label"].to_pylist()
    model.fit(rows, labels, masks=DEFAULT_MASKS, seed=0, validation=None, progress=silent)
    kinds = {
        name: "text" if str(rows.schema.field(name).type) == "string" else "number"
        for name in feature_columns(rows.schema)
    }
    info = DetectorInfo(
        name="x",
        goal="",
        granularity="table",
        layout=opened.layout,
        masks=list(DEFAULT_MASKS),
        columns=kinds,
    )
    package(folder, model, info)
    return Detector.load(folder)


def verdicts(detector: Detector, source: Path) -> list[tuple[int, str, float]]:
    found = [record["ml"] for record in detect(detector, source)]
    return [(ml["row"], ml["label"], ml["confidence"]) for ml in found]


def text_of(rows: Rows) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


def kdd_rows(attack: Callable[[int], str]) -> Rows:
    made = []
    for n in range(40):
        cells = dict.fromkeys(kdd.FEATURES, "0")
        cells |= {"protocol_type": ("tcp", "udp")[n % 2], "service": "http", "flag": "SF"}
        made.append([*(cells | {"src_bytes": str(n % 2 * 900 + n)}).values(), attack(n)])
    return made


def nsl() -> tuple[Rows, int]:
    return [[*row, "15"] for row in kdd_rows(lambda n: ("normal", "neptune")[n % 2])], 2


def kdd99() -> tuple[Rows, int]:
    return kdd_rows(lambda n: ("normal.", "neptune.")[n % 2]), 1


def unsw_raw() -> tuple[Rows, int]:
    made = []
    for n in range(40):
        cells = dict.fromkeys(unsw.RAW_COLUMNS, "0")
        cells |= {"srcip": "10.0.0.1", "dstip": "10.0.0.2", "proto": "tcp", "sport": "0x000b"}
        cells |= {"stime": "1421927414", "sbytes": str(n % 2 * 900 + n), "state": "CON"}
        made.append([*(cells | {"attack_cat": ("", "DoS")[n % 2], "label": str(n % 2)}).values()])
    return made, 2


def unsw_sets() -> tuple[Rows, int]:
    header = ["id", "sbytes", "sttl", "dttl", "ct_state_ttl", "proto", "attack_cat", "label"]
    rows = [
        [str(n), str(n % 2 * 900 + n), "31", "29", "0", "tcp", ("Normal", "DoS")[n % 2], str(n % 2)]
        for n in range(40)
    ]
    return [header, *rows], 2


def cic() -> tuple[Rows, int]:
    """With a repeated header among the rows, which would turn its columns into texts."""
    header = ["Dst Port", "Timestamp", "Flow Duration", "Tot Fwd Pkts", "Flow IAT Mean", "Label"]
    rows = [
        ["80", "14/02/2018 08:31:01", str(n % 2 * 900 + n), "2", "3", ("Benign", "Bot")[n % 2]]
        for n in range(40)
    ]
    return [header, *rows[:7], header, *rows[7:]], 1


def tor() -> tuple[Rows, int]:
    header = ["Source IP", " Flow Duration", " Flow IAT Mean", "label"]
    rows = [["10.0.0.1", str(n % 2 * 900 + n), "3", ("nonTOR", "TOR")[n % 2]] for n in range(40)]
    return [header, *rows], 1


@pytest.mark.parametrize("make", [nsl, kdd99, unsw_raw, unsw_sets, cic, tor])
def test_the_same_rows_without_labels_get_the_same_verdicts(
    tmp_path: Path, make: Callable[[], tuple[Rows, int]]
) -> None:
    rows, labels = make()
    (tmp_path / "train.csv").write_text(text_of(rows))
    (tmp_path / "new.csv").write_text(text_of([row[:-labels] for row in rows]))
    detector = train(tmp_path / "train.csv", tmp_path / "detector")
    check_source(tmp_path / "detector", tmp_path / "new.csv")
    expected = verdicts(detector, tmp_path / "train.csv")
    assert len(expected) == 40 and len({label for _, label, _ in expected}) == 2
    assert verdicts(detector, tmp_path / "new.csv") == expected


@pytest.mark.parametrize("form", ["output", "messages"])
@pytest.mark.parametrize("array", [False, True])
def test_traffic_texts_without_outputs(tmp_path: Path, form: str, array: bool) -> None:
    def record(n: int, answered: bool) -> str:
        asked = f"Tell.\n<packet>: frame.len: {n % 2 * 900 + n}, tcp.flags: 0x{n % 2:04x}"
        if form == "output":
            return json.dumps(
                {"instruction": asked} | ({"output": CLASSES[n % 2]} if answered else {})
            )
        answer = [{"role": "assistant", "content": CLASSES[n % 2]}] if answered else []
        return json.dumps({"messages": [{"role": "user", "content": asked}, *answer]})

    def write(name: str, answered: bool) -> Path:
        lines = [record(n, answered) for n in range(40)]
        text = "[" + ",\n".join(lines) + "]" if array else "\n".join(lines)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    asked = write("new.json", False)
    detector = train(write("train.json", True), tmp_path / "detector")
    expected = verdicts(detector, tmp_path / "train.json")
    assert [label for _, label, _ in expected] == [CLASSES[n % 2] for n in range(40)]
    assert verdicts(detector, asked) == expected


def test_without_its_layout_a_table_without_a_header_is_not_understood(tmp_path: Path) -> None:
    rows, labels = nsl()
    (tmp_path / "train.csv").write_text(text_of(rows))
    (tmp_path / "new.csv").write_text(text_of([row[:-labels] for row in rows]))
    detector = train(tmp_path / "train.csv", tmp_path / "detector")
    detector.manifest = detector.manifest.model_copy(update={"layout": None})
    with pytest.raises(InputError, match="no column"):
        verdicts(detector, tmp_path / "new.csv")


def test_another_table_with_the_same_columns_will_do(tmp_path: Path) -> None:
    """The layout helps to read a file; it is no condition."""
    rows, _ = unsw_sets()
    (tmp_path / "train.csv").write_text(text_of(rows))
    detector = train(tmp_path / "train.csv", tmp_path / "detector")
    (tmp_path / "own.csv").write_text("proto,sbytes\ntcp,10\ntcp,921\n")
    assert [label for _, label, _ in verdicts(detector, tmp_path / "own.csv")] == [
        "normal",
        "attack",
    ]
