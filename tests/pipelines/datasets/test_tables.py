import gzip
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.datasets import table_files
from pipelines.datasets.description import ColumnMap, LoadedSource
from pipelines.datasets.fields import feature_columns, group_of
from pipelines.datasets.loaders import kdd as kdd_layout
from pipelines.datasets.sources import describe_source, load_source
from pipelines.errors import InputError

PLAIN = "proto,bytes,label\ntcp,10,good\nudp,20,bad\ntcp,30,good\n"
KDD_ROW = "0,{protocol},http,SF,{bytes}" + ",0" * 36 + ",{attack},{difficulty}"


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(tmp_path: Path, text: str | bytes, **options) -> LoadedSource:
    return load_source(write(tmp_path / "t.csv", text), **options)


def kdd(*attacks: str, difficulty: str = "20") -> str:
    rows = [
        KDD_ROW.format(protocol="tcp", bytes=place, attack=attack, difficulty=difficulty)
        for place, attack in enumerate(attacks)
    ]
    return "\n".join(row.removesuffix(",") for row in rows) + "\n"


def test_a_table_becomes_rows_of_the_contract(tmp_path: Path) -> None:
    rows = load(tmp_path, PLAIN).rows
    assert rows.column_names == ["label", "capture", "flow", "proto", "bytes"]
    assert [str(kind) for kind in rows.schema.types] == [
        "string",
        "string",
        "int64",
        "string",
        "double",
    ]
    assert rows["label"].to_pylist() == ["good", "bad", "good"]
    assert rows["capture"].to_pylist() == ["t.csv"] * 3
    assert [group_of(declared) for declared in rows.schema] == [
        "label",
        "split",
        "split",
        "column",
        "column",
    ]


def test_equal_records_share_their_group_whatever_their_label_and_identifiers(
    tmp_path: Path,
) -> None:
    text = "uid,src_ip,bytes,label\nx,1.1.1.1,5,a\ny,2.2.2.2,5,b\nz,3.3.3.3,6,a\n"
    first, second, third = load(tmp_path, text).rows["flow"].to_pylist()
    assert first == second != third


def test_the_group_of_a_record_is_the_same_in_another_file(tmp_path: Path) -> None:
    one = load(tmp_path, PLAIN).rows["flow"].to_pylist()
    other = load(tmp_path, "label,bytes,proto\nx,10.0,tcp\ny,7,tcp\n").rows["flow"].to_pylist()
    assert other[0] == one[0] and other[1] not in one


@pytest.mark.parametrize("missing", ["", "-", "NaN", "Infinity", "inf", " ", "?", "null"])
def test_what_is_no_number_in_a_column_of_numbers_is_null(tmp_path: Path, missing: str) -> None:
    rows = load(tmp_path, f"x,y,label\n1,{missing},a\n2,3.5,b\n").rows
    assert rows["y"].to_pylist() == [None, 3.5]


def test_texts_are_trimmed_and_only_blank_ones_are_null(tmp_path: Path) -> None:
    rows = load(tmp_path, "x,service,label\n1,-,a\n2,,b\n3, http ,a\n4,\u00e9,b\n").rows
    assert rows["service"].to_pylist() == ["-", None, "http", "\u00e9"]


def test_one_word_among_thousands_of_numbers_makes_a_column_of_texts(tmp_path: Path) -> None:
    lines = [f"{i},{i},{'ab'[i % 2]}" for i in range(200_000)]
    lines[-1] = "5,0x1f,a"
    rows = load(tmp_path, "x,port,label\n" + "\n".join(lines) + "\n").rows
    assert rows.num_rows == 200_000
    assert str(rows.schema.field("port").type) == "string"
    assert str(rows.schema.field("x").type) == "double"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    loaded = load(tmp_path, "x,label\n1,Web Attack \u2013 XSS\n2,caf\u00e9\n".encode(encoding))
    assert loaded.rows.column_names[3:] == ["x"]
    assert len(set(loaded.rows["label"].to_pylist())) == 2
    assert any("Latin-1" in text for text in loaded.warnings) == (encoding == "cp1252")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("compressed", [False, True])
def test_delimiters_and_gzip(tmp_path: Path, delimiter: str, compressed: bool) -> None:
    content = PLAIN.replace(",", delimiter).encode()
    path = write(tmp_path / "t.csv.gz", gzip.compress(content) if compressed else content)
    assert load_source(path).rows["bytes"].to_pylist() == [10, 20, 30]


def test_quoted_cells_may_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    rows = load(tmp_path, 'x,y,label\n1,"a,\nb",p\n2,"say ""hi""",q\n').rows
    assert rows["y"].to_pylist() == ["a,\nb", 'say "hi"']


def test_blank_lines_before_the_header_and_line_ends_in_it(tmp_path: Path) -> None:
    rows = load(tmp_path, '\n\n"x\ny",label\n1,a\n2,b\n').rows
    assert rows["x_y"].to_pylist() == [1, 2]


def test_a_form_feed_in_a_header_ends_no_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "\x0csize,note\x0c,label\n1,2,good\n3,4,bad\n")
    assert [column.kind for column in describe_source(path).columns][:2] == ["number", "number"]


@pytest.mark.parametrize("rows_before", [0, 30])
def test_a_row_that_no_block_holds_is_named(tmp_path: Path, rows_before: int) -> None:
    text = "size,note,label\n" + "1,x,good\n" * rows_before + f'2,"{"x" * 10_000_000}",bad\n'
    with pytest.raises(InputError, match="longer than 4 MiB"):
        load(tmp_path, text)


def test_json_objects_may_lack_the_class_for_thousands_of_lines(tmp_path: Path) -> None:
    """A whole block of them has no such column, and the next one has a column more."""
    ends = '"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","id.orig_p":1,"id.resp_p":80'
    bare = f'{{"ts":1600000000.5,{ends},"conn_state":"SF"}}\n'
    more = f'{{"ts":1600000000.5,{ends},"conn_state":"S0","label":"bad","service":"http"}}\n'
    good = f'{{"ts":1600000000.5,{ends},"conn_state":"SF","label":"good"}}\n'
    path = write(tmp_path / "conn.json", good * 10_000 + bare * 10_000 + more * 2)
    loaded = load_source(path)
    assert loaded.rows["label"].value_counts().to_pylist() == [
        {"values": "Good", "counts": 10_000},
        {"values": "Bad", "counts": 2},
    ]
    assert any("10,000 rows were left out, without a class" in text for text in loaded.warnings)
    assert loaded.rows["service"].to_pylist()[-1] == "http"


def test_windows_line_ends(tmp_path: Path) -> None:
    assert load(tmp_path, PLAIN.replace("\n", "\r\n")).rows["label"].to_pylist()[-1] == "good"


def test_rows_of_another_width_are_left_out_and_counted(tmp_path: Path) -> None:
    loaded = load(tmp_path, "x,y,label\n1,2,a\n3,b\n4,5,b\n6,7,8,9\n")
    assert loaded.rows["x"].to_pylist() == [1, 4]
    assert loaded.warnings == ["t.csv: 2 rows were left out, without 3 cells, the first in line 3."]


def test_rows_without_a_class_are_left_out_and_counted(tmp_path: Path) -> None:
    loaded = load(tmp_path, "x,label\n1,a\n2,\n3,  \n4, b \n")
    assert loaded.rows["label"].to_pylist() == ["a", "b"]
    assert loaded.warnings == ["2 rows were left out, without a class in 'label'."]


def test_numeric_classes_stay_as_they_are_written(tmp_path: Path) -> None:
    assert load(tmp_path, "x,label\n1,0\n2,1\n3,01\n").rows["label"].to_pylist() == ["0", "1", "01"]


def test_columns_that_restate_the_class_are_never_features(tmp_path: Path) -> None:
    text = "x,attack_cat,label\n1,Normal,0\n2,DoS,1\n"
    rows = load(tmp_path, text).rows
    assert feature_columns(rows.schema, []) == ["x"]
    rows = load(tmp_path, text, label="attack_cat").rows
    assert rows["label"].to_pylist() == ["Normal", "DoS"]
    assert feature_columns(rows.schema, []) == ["x"]
    assert rows["label_column"].to_pylist() == [0, 1]


def test_identifiers_are_masked_whatever_their_column_is_called(tmp_path: Path) -> None:
    """Unless a person says what the column is."""
    text = "peer,seen,bytes,label\n"
    text += "".join(f"10.0.0.{n},2020-01-01 10:00:0{n},{n},{'ab'[n % 2]}\n" for n in range(1, 7))
    rows = load(tmp_path, text).rows
    assert [group_of(rows.schema.field(name)) for name in ("peer", "seen")] == ["addresses", "time"]
    assert feature_columns(rows.schema) == ["bytes"]
    wanted = ColumnMap(groups={"peer": "protocol"})
    assert "peer" in feature_columns(load(tmp_path, text, columns=wanted).rows.schema)


def test_columns_named_like_our_own_get_another_name(tmp_path: Path) -> None:
    rows = load(tmp_path, "flow,capture,class\n7,x,a\n8,y,b\n").rows
    assert rows["flow_column"].to_pylist() == [7, 8]
    assert rows["capture_column"].to_pylist() == ["x", "y"]


def test_the_column_map_drops_groups_renames_and_times(tmp_path: Path) -> None:
    text = "when,host,port,junk,verdict\n100.5,h1,80,1,Benign\n99,h2,443,2,benign\n98,h1,22,3,bad\n"
    columns = ColumnMap(
        label="verdict",
        drop=["junk"],
        time="when",
        groups={"host": "addresses", "port": "ports"},
        classes={"Benign": "benign"},
    )
    rows = load(
        tmp_path,
        text + "97,h3,1,4,bad\n",
        columns=columns.model_copy(update={"groups": {"host": "addresses"}}),
    ).rows
    assert rows["label"].to_pylist() == ["benign", "benign", "bad", "bad"]
    assert rows["first_seen_ns"].to_pylist() == [
        100_500_000_000,
        99 * 10**9,
        98 * 10**9,
        97 * 10**9,
    ]
    assert "junk" not in rows.column_names and "when" not in rows.column_names
    assert feature_columns(rows.schema) == ["port"]
    with pytest.raises(InputError, match="no column left"):
        load(tmp_path, text, columns=columns)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1600000000", 1_600_000_000 * 10**9),
        ("1600000000.25", 1_600_000_000_250_000_000),
        ("1600000000123", 1_600_000_000_123 * 10**6),
        ("1600000000123456", 1_600_000_000_123_456 * 10**3),
        ("2020-09-13T12:26:40", 1_600_000_000 * 10**9),
        ("2020-09-13 12:26:40.5", 1_600_000_000_500_000_000),
        ("2020-09-13T12:26:40Z", 1_600_000_000 * 10**9),
        ("2020-09-13T14:26:40.25+02:00", 1_600_000_000_250_000_000),
    ],
)
def test_times_in_every_unit(tmp_path: Path, text: str, nanoseconds: int) -> None:
    rows = load(tmp_path, f"t,x,label\n{text},1,a\n{text},2,b\n", columns=ColumnMap(time="t")).rows
    assert rows["first_seen_ns"].to_pylist() == [nanoseconds] * 2
    assert group_of(rows.schema.field("first_seen_ns")) == "time"


@pytest.mark.parametrize("time", ["1e12", "-1e12", "1e300"])
def test_times_that_no_64_bits_hold_are_refused(tmp_path: Path, time: str) -> None:
    """Most count seconds; in nanoseconds this one would wrap around to any moment at all."""
    text = f"t,x,label\n1600000000,1,a\n1600000001,1,b\n{time},2,b\n"
    with pytest.raises(InputError, match="different units, or lie beyond the year 2262"):
        load(tmp_path, text, columns=ColumnMap(time="t"))


@pytest.mark.parametrize(("cell", "words"), [("soon", "neither epoch"), ("", "no time")])
def test_times_that_cannot_be_read(tmp_path: Path, cell: str, words: str) -> None:
    text = f"t,x,label\n{cell},1,a\n2020-01-01,2,b\n"
    with pytest.raises(InputError, match=words) as caught:
        load(tmp_path, text, columns=ColumnMap(time="t"))
    assert "columns.time" in caught.value.mend


def test_columns_are_found_by_their_name_in_the_file_too(tmp_path: Path) -> None:
    text = "Flow Bytes/s, Label\n1,a\n2,b\n"
    rows = load(
        tmp_path, text, label=" Label", columns=ColumnMap(groups={"Flow Bytes/s": "sizes"})
    ).rows
    assert group_of(rows.schema.field("Flow_Bytes_s")) == "sizes"


def test_an_unknown_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    for options in ({"label": "lable"}, {"columns": ColumnMap(drop=["lable"])}):
        with pytest.raises(InputError, match="no column 'lable'") as caught:
            load(tmp_path, PLAIN, **options)
        assert caught.value.mend == "Did you mean 'label'?"
    with pytest.raises(InputError) as caught:
        load(tmp_path, PLAIN, label="zzz")
    assert caught.value.mend == "There are: proto, bytes, label."


def test_a_table_whose_class_is_unknown_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="known to hold the class") as caught:
        load(tmp_path, "a,b\n1,2\n3,4\n")
    assert "a, b" in caught.value.mend


def test_a_table_without_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no header.*'5\.5'"):
        load(tmp_path, "tcp,5.5,good\nudp,6,bad\n")


def test_one_class_is_refused_unless_it_is_only_tested_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 rows.*one class, 'a'"):
        load(tmp_path, "x,label\n1,a\n2,a\n")
    assert load(tmp_path, "x,label\n1,a\n2,a\n", least_classes=1).rows.num_rows == 2


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labelled row"):
        load(tmp_path, "x,label\n")


def test_damaged_gzip_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    content = gzip.compress(("x,label\n" + "".join(f"{i * i},a\n" for i in range(60_000))).encode())
    with pytest.raises(InputError, match=r"cannot be read as a table|no capture and no table"):
        load_source(write(tmp_path / "t.csv.gz", content[: len(content) // 2]))


def test_a_gzip_bomb_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = b"x,label\n" + b"1,a\n2,b\n" * 1_000_000
    path = write(tmp_path / "t.csv.gz", gzip.compress(rows))
    assert load_source(path).rows.num_rows == 2_000_000, "8 MB harm nobody"
    monkeypatch.setattr(table_files, "MOST_EXPANDED", 1 << 20)
    with pytest.raises(InputError, match=r"bytes that unpack to more than [\d,]+\. Unpack"):
        load_source(path)


def test_files_of_one_header_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", PLAIN)
    write(tmp_path / "sub" / "a.csv", PLAIN)
    write(tmp_path / "notes.csv", "word,meaning\na,b\n")
    write(tmp_path / "README.md", "a,b\nc,d\n")
    found = describe_source(tmp_path)
    assert [file.path for file in found.files] == ["b.csv", "sub/a.csv"]
    assert found.warnings == ["notes.csv has other columns and was left out."]
    loaded = load_source(tmp_path)
    assert loaded.rows["capture"].to_pylist() == ["b.csv"] * 3 + ["sub/a.csv"] * 3


def test_a_description_shows_columns_and_proposes_a_label(tmp_path: Path) -> None:
    found = describe_source(write(tmp_path / "t.csv", "src ip,bytes,Label\n1.1.1.1,10,a\n,20,b\n"))
    assert (found.layout, found.label, found.preset) == ("table", "Label", None)
    assert [(c.name, c.original, c.kind, c.group) for c in found.columns] == [
        ("src_ip", "src ip", "text", "addresses"),
        ("bytes", "bytes", "number", "column"),
        ("Label", "Label", "text", "label"),
    ]
    assert "'Label'" in found.reason


def test_look_alike_classes_are_pointed_out(tmp_path: Path) -> None:
    loaded = load(tmp_path, "x,label\n1,Benign\n2,benign\n3,bad\n")
    assert loaded.warnings == ["These classes differ in case or blanks only: 'Benign', 'benign'."]


def test_class_names_may_be_any_text(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "=1+1", "<b>x</b>", "\u202egnp", "[red]"]
    text = "x,label\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names))
    assert load(tmp_path, text).rows["label"].to_pylist() == names


def test_a_column_map_is_strict() -> None:
    with pytest.raises(ValidationError, match="lable"):
        ColumnMap.model_validate({"lable": "x"})
    with pytest.raises(ValidationError, match="no field group"):
        ColumnMap(groups={"x": "adresses"})


def test_nsl_kdd_is_recognised_and_offers_three_labels(tmp_path: Path) -> None:
    path = write(
        tmp_path / "KDDTrain.txt", kdd("normal", "neptune", "phf", "rootkit", "mscan", "new")
    )
    found = describe_source(path)
    assert (found.preset, found.label) == ("nsl_kdd", "class")
    assert found.label_choices == ["class", "attack", "category"]
    expected = {
        "class": ["normal", "attack", "attack", "attack", "attack", "attack"],
        "attack": ["normal", "neptune", "phf", "rootkit", "mscan", "new"],
        "category": ["normal", "dos", "r2l", "u2r", "probe", "unknown"],
    }
    for label, classes in expected.items():
        rows = load_source(path, label).rows
        assert rows["label"].to_pylist() == classes
        assert feature_columns(rows.schema, []) == list(kdd_layout.FEATURES)


def test_the_difficulty_is_no_label_and_no_feature(tmp_path: Path) -> None:
    path = write(tmp_path / "k.txt", kdd("normal", "neptune"))
    with pytest.raises(InputError, match="'difficulty'"):
        load_source(path, "difficulty")
    assert group_of(load_source(path).rows.schema.field("difficulty")) == "label"


def test_kdd_cup_99_has_no_difficulty_and_full_stops(tmp_path: Path) -> None:
    path = write(tmp_path / "kddcup.data", kdd("normal.", "smurf.", difficulty=""))
    rows = load_source(path, "attack").rows
    assert rows["label"].to_pylist() == ["normal", "smurf"]
    assert "difficulty" not in rows.column_names


def test_every_attack_has_one_category() -> None:
    names = [name for names in kdd_layout.ATTACKS.values() for name in names]
    assert len(names) == len(set(names)) == 39
    assert len(kdd_layout.FEATURES) == len(set(kdd_layout.FEATURES)) == 41


def test_columns_called_like_netloops_own_keep_apart(tmp_path: Path) -> None:
    rows = load(tmp_path, "flow_column,flow,label,class\n1,2,3,a\n4,5,6,b\n", label="class").rows
    own = ["label", "capture", "flow"]
    assert rows.column_names == [*own, "flow_column", "flow_column_column", "label_column"]
    assert rows["flow_column_column"].to_pylist() == [2, 5]
