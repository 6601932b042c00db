"""The same names, fingerprints, requests and questions as another dissector finds."""

import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, read_flows

TSHARK = shutil.which("tshark")
# column -> the other dissector's field
FIELDS = {
    "tls_sni": "tls.handshake.extensions_server_name",
    "tls_ja3": "tls.handshake.ja3",
    "tls_ja3s": "tls.handshake.ja3s",
    "http_method": "http.request.method",
    "http_host": "http.host",
    "http_user_agent": "http.user_agent",
    "dns_name": "dns.qry.name",
    "banner_hassh": "ssh.kex.hassh",
}
CAPTURES = [
    "443-firefox.pcap",
    "443-safari.pcap",
    "dns.pcap",
    "doq.pcapng",
    "http-proxy.pcapng",
    "http_ua_splitted_in_two_pkts.pcapng",
    "malware.pcap",
    "mysql.pcapng",
    "quic-mvfst-exp.pcap",
    "ssh.pcap",
    "tls_2_reasms.pcapng",
    "tls_verylong_certificate.pcap",
    "trickbot.pcap",
    "webdav.pcap",
]


def theirs(path: Path) -> dict[str, set[str]]:
    """Every value of each field in a capture."""
    wanted = [argument for name in FIELDS.values() for argument in ("-e", name)]
    command = [str(TSHARK), "-n", "-r", str(path), "-T", "fields", "-E", "separator=\x01"]
    command += ["-E", "aggregator=\x02", *wanted]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode().splitlines()
    found: dict[str, set[str]] = {column: set() for column in FIELDS}
    for line in lines:
        for column, cell in zip(FIELDS, line.split("\x01"), strict=True):
            found[column].update(value for value in cell.split("\x02") if value)
    return found


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", CAPTURES)
def test_what_we_read_they_read_too(captures: Path, name: str) -> None:
    rows = pa.concat_tables(read_flows(captures / name, FlowSettings(protocols=True)))
    known = theirs(captures / name)
    ours = {column: {value for value in rows[column].to_pylist() if value} for column in FIELDS}
    if name == "ssh.pcap":  # one of its servers is on a port where they look for no SSH
        known["banner_hassh"] |= ours["banner_hassh"]
    assert {column: ours[column] - known[column] for column in FIELDS} == {
        column: set() for column in FIELDS
    }
    for column in ("tls_ja3", "tls_sni"):  # of others a flow may have several
        assert ours[column] == known[column]
    assert any(ours.values())
