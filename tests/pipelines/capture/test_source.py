"""Files, streams and gzip: where bytes come from and how they end."""

import gzip
import io
import os

import pytest

from pipelines.capture import CaptureHealth, read_batches, read_flows
from pipelines.errors import InputError


@pytest.fixture
def content(make) -> bytes:
    noise = [os.urandom(400) for _ in range(100)]
    return make.pcap(*((n, make.ethernet(make.ipv4(make.udp(n, 2, noise[n])))) for n in range(100)))


def packets(capture, **options) -> tuple[list[int], CaptureHealth]:
    health = CaptureHealth()
    ports = [p for b in read_batches(capture, health, **options) for p in b.src_port.tolist()]
    return ports, health


def test_a_path_gives_name_size_and_progress(tmp_path, content):
    path = tmp_path / "web.pcap"
    path.write_bytes(content)
    calls = []
    ports, health = packets(str(path), progress=lambda *call: calls.append(call))
    assert ports == list(range(100))
    assert (health.file, health.bytes) == ("web.pcap", len(content))
    assert calls[-1] == ("reading web.pcap", len(content), len(content), "bytes")


def test_gzip_is_known_by_its_magic_number_not_its_name(tmp_path, content):
    path = tmp_path / "web.pcap"
    path.write_bytes(gzip.compress(content))
    for piece_bytes in (1_000, 1 << 20):
        ports, health = packets(path, piece_bytes=piece_bytes)
        assert ports == list(range(100))
        assert (health.format, health.corrupt) == ("pcap in gzip", 0)
        assert health.bytes == path.stat().st_size


def test_gzip_members_are_joined(content):
    middle = len(content) // 2
    joined = gzip.compress(content[:middle]) + gzip.compress(content[middle:])
    assert packets(io.BytesIO(joined))[0] == list(range(100))


def test_a_torn_gzip_keeps_what_came_before(content):
    ports, health = packets(io.BytesIO(gzip.compress(content)[:-3_000]))
    assert ports == list(range(len(ports)))
    assert 50 < len(ports) < 100
    assert health.corrupt == 1
    assert health.corrupt_records[0].reason.startswith("damaged gzip")


def test_a_wrong_gzip_checksum_is_counted(content):
    packed = bytearray(gzip.compress(content))
    packed[-5] ^= 0xFF
    ports, health = packets(io.BytesIO(bytes(packed)))
    assert ports == list(range(100))
    assert health.corrupt == 1
    assert health.corrupt_records[0].offset == len(content)


def test_rubbish_behind_a_gzip_is_counted(content):
    ports, health = packets(io.BytesIO(gzip.compress(content) + b"rubbish"))
    assert ports == list(range(100))
    assert health.corrupt == 1


def test_gzip_of_nothing_and_of_no_capture_are_refused(content):
    with pytest.raises(InputError, match="is empty"):
        packets(io.BytesIO(gzip.compress(b"")))
    with pytest.raises(InputError, match="is no capture"):
        packets(io.BytesIO(gzip.compress(b"hello, world")))
    with pytest.raises(InputError, match="damaged gzip"):
        packets(io.BytesIO(b"\x1f\x8b" + bytes(30)))


def test_a_pipe_gives_its_packets_as_they_come(content):
    reading, writing = os.pipe()
    first = 24 + 16 + 442
    with os.fdopen(reading, "rb") as stream:
        os.write(writing, content[:first])
        health = CaptureHealth()
        batches = read_batches(stream, health)
        assert next(batches).src_port.tolist() == [0]
        os.write(writing, content[first:])
        os.close(writing)
        assert sum(len(batch) for batch in batches) == 99


def test_a_stream_stays_open(content):
    stream = io.BytesIO(content)
    list(read_flows(stream))
    assert not stream.closed


def test_a_batch_stays_valid_while_it_is_held(content):
    batches = list(read_batches(io.BytesIO(content), CaptureHealth(), piece_bytes=2_000))
    assert len(batches) > 5
    for batch in batches:
        start = batch.payload_offset[0]
        assert batch.buffer[start : start + 400].tobytes() in content


class Failing(io.BytesIO):
    """A disk that fails behind the first 10,000 bytes."""

    def read1(self, size=-1):
        if self.tell() >= 10_000:
            raise OSError(5, "Input/output error")
        return super().read1(min(size, 10_000 - self.tell()))


def test_a_disk_that_fails_keeps_what_came_before(content):
    ports, health = packets(Failing(content))
    assert ports == list(range(len(ports)))
    assert 10 < len(ports) < 30
    assert health.corrupt_records[0].reason == "reading failed: [Errno 5] Input/output error"


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.pcap cannot be read: No such file"):
        packets(tmp_path / "missing.pcap")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        packets(tmp_path)
