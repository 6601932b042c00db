"""Layouts as their owners publish them: a few lines of each, with every fault that is mended."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.datasets.description import ColumnMap, LoadedSource
from pipelines.datasets.fields import DEFAULT_MASKS, feature_columns, group_of
from pipelines.datasets.loaders import unsw
from pipelines.datasets.loaders.cic import day_first, moment
from pipelines.datasets.loaders.registry import LOADERS, recognise
from pipelines.datasets.sources import describe_source, load_source
from pipelines.errors import InputError

HOUR_NS = 3_600_000_000_000


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def groups(loaded: LoadedSource) -> dict[str, str]:
    return {declared.name: group_of(declared) for declared in loaded.rows.schema}


def raw_unsw(source: str, port: str, category: str, label: str, time: int = 1421927414) -> str:
    cells = dict.fromkeys(unsw.RAW_COLUMNS, "0") | {
        "srcip": source,
        "sport": port,
        "dstip": "149.171.126.6",
        "dsport": "53",
        "proto": "udp",
        "state": "CON",
        "sbytes": "132",
        "service": "dns",
        "sttl": "31",
        "stime": str(time),
        "ltime": str(time),
        "attack_cat": category,
        "label": label,
        "ct_flw_http_mthd": "",
        "is_ftp_login": " ",
    }
    return ",".join(cells[name] for name in unsw.RAW_COLUMNS)


def test_loaders_have_a_name_of_their_own_and_say_what_they_mend() -> None:
    assert len({loader.name for loader in LOADERS}) == len(LOADERS)
    assert all(loader.faults for loader in LOADERS[:-1])


def test_raw_unsw_files_have_no_header_and_many_spellings(tmp_path: Path) -> None:
    lines = [
        raw_unsw("59.166.0.0", "1390", "", "0"),
        raw_unsw("175.45.176.1", "0x000b", " Fuzzers ", "1"),
        raw_unsw("175.45.176.2", "-", "Backdoors", "1"),
        raw_unsw("175.45.176.2", "80", "Backdoor", "1"),
    ]
    path = write(tmp_path / "UNSW-NB15_1.csv", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    found = describe_source(path)
    assert (found.preset, found.label_choices) == ("unsw_nb15_raw", ["label", "attack_cat"])
    loaded = load_source(path, "category")
    assert loaded.rows["label"].to_pylist() == ["Normal", "Fuzzers", "Backdoor", "Backdoor"]
    assert loaded.rows["sport"].to_pylist() == [1390, 11, None, 80]
    assert loaded.rows["first_seen_ns"].to_pylist() == [1421927414 * 10**9] * 4
    assert loaded.rows["host"].to_pylist()[0] == "59.166.0.0"
    assert loaded.rows["is_ftp_login"].null_count == 4
    assert load_source(path).rows["label"].to_pylist() == ["normal", "attack", "attack", "attack"]
    seen = set(feature_columns(loaded.rows.schema, DEFAULT_MASKS))
    assert {"sbytes", "service"} <= seen
    assert not seen & {"srcip", "sport", "sttl", "ct_state_ttl", "ltime", "stcpb", "attack_cat"}


def test_forty_nine_columns_of_something_else_are_not_unsw(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ",".join(["1"] * 49) + "\n" + ",".join(["2"] * 49) + "\n")
    found = recognise(path)
    assert found is not None and found[0].name == "table"


CIC_HEADER = (
    "Flow ID, Source IP, Source Port, Destination IP, Destination Port, Protocol, Timestamp,"
    " Flow Duration, Total Fwd Packets, Fwd Header Length,Flow Bytes/s, Flow Packets/s,"
    " Flow IAT Mean, Fwd Header Length, Label\n"
)


def cic_row(time: str, rate: str, label: str, duration: int = 5) -> str:
    return (
        f"a-b-1-2-6,192.168.10.5,54865,104.16.207.165,443,6,{time},{duration},2,40,"
        f"{rate},{rate},3.0,40,{label}\n"
    )


def test_labelled_flows_of_cic_ids2017(tmp_path: Path) -> None:
    text = (
        CIC_HEADER.encode()
        + cic_row("7/7/2017 3:30", "Infinity", "BENIGN").encode()
        + cic_row("03/07/2017 08:55:58", "NaN", "Web Attack \x96 XSS", 6).encode("latin-1")
        + cic_row("7/7/2017 9:00 PM", "12.5", "Web Attack \x96 Brute Force", 7).encode("latin-1")
        + b",,,,,,,,,,,,,,\n"
    )
    loaded = load_source(write(tmp_path / "Friday.pcap_ISCX.csv", text))
    rows = loaded.rows
    assert rows["label"].to_pylist() == ["BENIGN", "Web Attack - XSS", "Web Attack - Brute Force"]
    assert rows["class"].to_pylist() == ["benign", "attack", "attack"]
    assert rows["Flow_Bytes_s"].to_pylist() == [None, None, 12.5]
    friday = 1_499_385_600 * 10**9
    assert rows["first_seen_ns"].to_pylist() == [
        friday + 15 * HOUR_NS + HOUR_NS // 2,
        1_499_072_158 * 10**9,
        friday + 21 * HOUR_NS,
    ]
    assert rows["host"].to_pylist() == ["192.168.10.5"] * 3
    names = rows.column_names
    assert "Fwd_Header_Length" in names and "Fwd_Header_Length_2" not in names
    seen = set(feature_columns(rows.schema, DEFAULT_MASKS))
    assert not seen & {"Flow_ID", "Source_IP", "Source_Port", "Destination_Port", "Timestamp"}
    assert {"Flow_Duration", "Flow_Bytes_s", "Protocol"} <= seen
    assert any("Latin-1" in text for text in loaded.warnings)
    assert any("without a class in 'Label'" in text for text in loaded.warnings)


def test_the_replacement_character_is_mended_too(tmp_path: Path) -> None:
    text = CIC_HEADER + cic_row("7/7/2017 3:30", "1", "BENIGN")
    text += cic_row("7/7/2017 3:31", "1", "Web Attack \ufffd Sql Injection")
    rows = load_source(write(tmp_path / "t.csv", text)).rows
    assert rows["label"].to_pylist()[1] == "Web Attack - Sql Injection"


def test_machine_learning_tables_begin_names_with_blanks(tmp_path: Path) -> None:
    header = " Destination Port, Flow Duration, Total Fwd Packets, Flow IAT Mean, Label\n"
    rows = load_source(write(tmp_path / "t.csv", header + "80,1,2,3,BENIGN\n22,2,3,4,Bot\n")).rows
    assert "first_seen_ns" not in rows.column_names and "host" not in rows.column_names
    assert feature_columns(rows.schema) == ["Flow_Duration", "Total_Fwd_Packets", "Flow_IAT_Mean"]


def test_cse_cic_ids2018_repeats_its_header(tmp_path: Path) -> None:
    header = "Dst Port,Protocol,Timestamp,Flow Duration,Tot Fwd Pkts,Flow IAT Mean,Label\n"
    text = header + "443,6,14/02/2018 08:31:01,1,2,3,Benign\n" + header
    text += "80,6,14/02/2018 01:00:00,2,3,4,Bot\n"
    loaded = load_source(write(tmp_path / "02-14-2018.csv", text))
    assert loaded.warnings == ["1 row was left out as a repeated header."]
    first, second = loaded.rows["first_seen_ns"].to_pylist()
    assert second - first == int((13 - 8.5) * HOUR_NS) - 61 * 10**9
    assert str(loaded.rows.schema.field("Flow_Duration").type) == "double"


def test_cicddos2019_columns_that_tell_hosts_are_masked(tmp_path: Path) -> None:
    header = "Unnamed: 0,Flow ID, Source IP, Timestamp, Flow Duration, Total Fwd Packets,"
    header += " Flow IAT Mean,SimillarHTTP, Inbound, Label\n"
    row = "{n},x,172.16.0.5,2018-12-01 10:51:39.813448,{n},2,3,{n}.com/a.php,1,{label}\n"
    text = header + row.format(n=1, label="DrDoS_DNS") + row.format(n=2, label="BENIGN")
    loaded = load_source(write(tmp_path / "t.csv", text))
    assert groups(loaded)["SimillarHTTP"] == "names" and groups(loaded)["Inbound"] == "addresses"
    assert groups(loaded)["Unnamed_0"] == "split"
    assert loaded.rows["first_seen_ns"].to_pylist()[0] % 10**9 == 813_448_000


@pytest.mark.parametrize("text", ["soon", "32/01/2018 10:00", "1/13/2018 10:00", "1/1/18 10:00"])
def test_what_is_no_day_first_time(text: str) -> None:
    with pytest.raises(InputError, match="no time"):
        moment(text)


def test_a_clock_that_passes_twelve_has_24_hours() -> None:
    """Nights are nights then: labels of one's own flows are read by the same rule."""
    times = pa.chunked_array([["1/1/1970 03:00", "1/1/1970 12:00"]])
    assert day_first(times, "t").to_pylist() == [15 * HOUR_NS, 12 * HOUR_NS]
    times = pa.chunked_array([["1/1/1970 03:00", "1/1/1970 13:00"]])
    assert day_first(times, "t").to_pylist() == [3 * HOUR_NS, 13 * HOUR_NS]


def test_noon_and_midnight() -> None:
    assert moment("1/1/1970 12:00 AM") == 0
    assert moment("1/1/1970 12:00 PM") == 12 * HOUR_NS == moment("01/01/1970 12:00:00")


ZEEK = """#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tconn
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\torig_pkts\ttunnel_parents{tail}
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\tset[string]{types}
{rows}#close\t2019-03-15-16-12-50
"""
ZEEK_ROW = "1545403816.962094\tC{n}\t192.168.1.195\t{n}\t185.244.25.235\t80\ttcp\tS0\t{n}\t{tail}\n"


def test_iot23_glues_labels_to_the_last_cell(tmp_path: Path) -> None:
    text = ZEEK.format(
        tail="   label   detailed-label",
        types="   string   string",
        rows=ZEEK_ROW.format(n=1, tail="-   benign   -")
        + ZEEK_ROW.format(n=2, tail="(empty)   Malicious   PartOfAHorizontalPortScan")
        + ZEEK_ROW.format(n=3, tail="-"),
    )
    path = write(tmp_path / "CTU-34-1" / "bro" / "conn.log.labeled", text)
    loaded = load_source(path)
    assert loaded.rows["label"].to_pylist() == ["Benign", "Malicious"]
    assert loaded.warnings == ["1 row was left out, without a class in 'label'."]
    assert loaded.rows["first_seen_ns"].to_pylist() == [1_545_403_816_962_094_000] * 2
    detailed = load_source(path, "attack").rows["label"].to_pylist()
    assert detailed == ["Benign", "PartOfAHorizontalPortScan"]
    assert feature_columns(loaded.rows.schema) == ["proto", "conn_state", "orig_pkts"]
    assert loaded.rows["host"].to_pylist() == ["192.168.1.195"] * 2


def test_a_plain_conn_log_has_no_label_but_other_columns_will_do(tmp_path: Path) -> None:
    rows = ZEEK_ROW.format(n=1, tail="-") + ZEEK_ROW.format(n=2, tail="-").replace("S0", "SF")
    path = write(tmp_path / "conn.log", ZEEK.format(tail="", types="", rows=rows))
    with pytest.raises(InputError, match="known to hold the class"):
        load_source(path)
    assert load_source(path, "conn_state").rows["label"].to_pylist() == ["S0", "SF"]


def test_zeek_logs_in_a_row_repeat_their_heads_and_hold_quotes(tmp_path: Path) -> None:
    one = ZEEK.format(tail="\tlabel", types="\tstring", rows=ZEEK_ROW.format(n=1, tail='"\tBenign'))
    two = ZEEK.format(tail="\tlabel", types="\tstring", rows=ZEEK_ROW.format(n=2, tail="-\tBad"))
    loaded = load_source(write(tmp_path / "conn.log", one + two))
    assert loaded.rows["label"].to_pylist() == ["Benign", "Bad"]
    assert loaded.warnings == []


def test_zeek_json(tmp_path: Path) -> None:
    record = {"ts": 1.5, "uid": "C", "id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "::1"}
    record |= {"id.resp_p": 53, "proto": "udp", "conn_state": "SF", "orig_pkts": 2, "label": "a"}
    other = record | {"label": "b", "local_orig": True, "service": "dns", "orig_pkts": None}
    lines = [json.dumps(record), "", json.dumps(other), "[1]", "{broken"]
    loaded = load_source(write(tmp_path / "conn.json", "\n".join(lines)))
    assert loaded.rows["label"].to_pylist() == ["A", "B"]
    assert loaded.rows["orig_pkts"].to_pylist() == [2, None]
    assert loaded.rows["service"].to_pylist() == [None, "dns"]
    assert loaded.rows["first_seen_ns"].to_pylist() == [1_500_000_000] * 2
    assert loaded.warnings == [
        "conn.json: 2 lines were left out, no such record, the first in line 4."
    ]


def test_zstd_bz2_and_utf_16(tmp_path: Path) -> None:
    import bz2

    import zstandard

    text = "x,label\n1,caf\u00e9\n2,b\n"
    for content in (
        zstandard.compress(text.encode()),
        bz2.compress(text.encode()),
        gzip.compress(text.encode()),
        text.encode("utf-16"),
        text.encode("utf-16-be").join([b"\xfe\xff", b""]),
    ):
        rows = load_source(write(tmp_path / "t.csv", content)).rows
        assert rows["label"].to_pylist() == ["caf\u00e9", "b"]
        assert rows["x"].to_pylist() == [1, 2]


def test_zero_bytes_and_mixed_line_ends_in_a_text(tmp_path: Path) -> None:
    filler = "".join(f"{n},plain text\n" for n in range(300))
    rows = load_source(write(tmp_path / "t.csv", f"x,label\r\n1,a\0b\r2,c\n{filler}")).rows
    assert rows["label"].to_pylist()[:2] == ["a\0b", "c"] and rows.num_rows == 302


def test_a_cell_longer_than_a_block_is_refused_not_truncated(tmp_path: Path) -> None:
    text = "x,label\n" + "1,a\n" * 80_000 + "z" * (9 << 20) + ",b\n"
    with pytest.raises(InputError, match="cannot be read as a table"):
        load_source(write(tmp_path / "t.csv", text))


def test_rows_may_be_chosen_by_a_pattern(tmp_path: Path) -> None:
    text = "x,sure,label\n1,DPI,a\n2,DPI (cache),b\n3,port,a\n"
    loaded = load_source(write(tmp_path / "t.csv", text), columns=ColumnMap(where={"sure": "DPI*"}))
    assert loaded.rows["x"].to_pylist() == [1, 2]
    assert loaded.warnings == ["1 row was left out by columns.where."]


def test_host_site_and_text_columns_of_ones_own_table(tmp_path: Path) -> None:
    text = "who,place,said,label\nh1,a,GET /,x\nh2,b,PUT /,y\n"
    columns = ColumnMap(host="who", site="place", texts=["said"], groups={"who": "addresses"})
    rows = load_source(write(tmp_path / "t.csv", text), columns=columns).rows
    assert rows["host"].to_pylist() == ["h1", "h2"] and rows["site"].to_pylist() == ["a", "b"]
    assert feature_columns(rows.schema) == ["said"]
    assert rows.schema.field("said").metadata[b"kind"] == b"text"
