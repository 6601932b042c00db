"""How fast captures are read, beside other tools, in one run on one machine.

    python benchmarks/capture.py [--packets 300000] [--scapy-packets 20000]
    python benchmarks/capture.py --big [--packets 10000000]

Makes a deterministic mixed capture in a temporary folder, reads it with each tool in a process of
its own on one core, and prints packets a second, the ratio to scapy's full dissection, to NFStream
and to tshark, and peak memory. Imports are not timed, nor is the start of a program. Tools that are
not installed are left out.

``--big`` makes a capture of ten million packets (3.6 GB) and one of a tenth of that, and compares
the memory that their flows and their shards take.
"""

import argparse
import importlib.util
import itertools
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECOND = 1_000_000
Packet = tuple[int, bytes]


# --- the capture -----------------------------------------------------------------------------


def ethernet(payload: bytes, kind: int, vlan: int) -> bytes:
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    frame = b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + tag + struct.pack("!H", kind) + payload
    return frame.ljust(60, b"\0")


def ipv4(source: int, target: int, protocol: int, payload: bytes, number: int) -> bytes:
    head = (0x45, 0, 20 + len(payload), number & 0xFFFF, 0x4000, 64, protocol, 0, source, target)
    return struct.pack("!BBHHHBBHII", *head) + payload


def ipv6(source: int, target: int, protocol: int, payload: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    prefix = bytes.fromhex("20010db8") + bytes(8)
    return head + prefix + struct.pack("!I", source) + prefix + struct.pack("!I", target) + payload


def tcp(source: int, target: int, flags: int, payload: bytes, sequence: int) -> bytes:
    options = b"\1\1\x08\x0a" + bytes(8)
    head = (source, target, sequence & 0xFFFFFFFF, 1, 8 << 4, flags, 512, 0xBEEF, 0)
    return struct.pack("!HHIIBBHHH", *head) + options + payload


def udp(source: int, target: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


class Conversation:
    """Two hosts: one in twelve speaks IPv6, one in ten is in a VLAN."""

    def __init__(self, chance: random.Random, begin: int) -> None:
        self.chance, self.time, self.number = chance, begin, chance.randrange(1 << 16)
        self.client = 0x0A000000 + chance.randrange(1, 4000)
        self.server = 0x5DB80000 + chance.randrange(1, 3000)
        self.port = chance.randrange(32768, 60999)
        self.is_ipv6 = chance.random() < 1 / 12
        self.vlan = 10 if chance.random() < 0.1 else 0

    def packet(self, to_server: bool, protocol: int, payload: bytes, wait: float) -> Packet:
        self.time += int(wait * SECOND)
        self.number += 1
        ends = (self.client, self.server) if to_server else (self.server, self.client)
        if self.is_ipv6:
            frame = ethernet(ipv6(*ends, protocol, payload), 0x86DD, self.vlan)
        else:
            frame = ethernet(ipv4(*ends, protocol, payload, self.number), 0x0800, self.vlan)
        return self.time, frame

    def name_lookup(self) -> Iterator[Packet]:
        query = self.chance.randbytes(12) + b"\3www\7example\3com\0\0\1\0\1"
        yield self.packet(True, 17, udp(self.port, 53, query), 0)
        yield self.packet(False, 17, udp(53, self.port, query + bytes(16)), 0.02)

    def web(self) -> Iterator[Packet]:
        def segment(to_server: bool, flags: int, size: int, wait: float) -> Packet:
            ports = (self.port, 443) if to_server else (443, self.port)
            payload = self.chance.randbytes(size)
            return self.packet(to_server, 6, tcp(*ports, flags, payload, self.number), wait)

        yield segment(True, 0x02, 0, 0)
        yield segment(False, 0x12, 0, 0.02)
        yield segment(True, 0x10, 0, 0.02)
        yield segment(True, 0x18, 517, 0.001)
        for number in range(min(int(self.chance.paretovariate(1.1) * 6), 400)):
            yield segment(False, 0x18, self.chance.randrange(5, 1400), self.chance.expovariate(500))
            if number % 2:
                yield segment(True, 0x10, 0, 0.0005)
        yield segment(True, 0x11, 0, 0.01)
        yield segment(False, 0x11, 0, 0.02)

    def media(self) -> Iterator[Packet]:
        for _ in range(min(int(self.chance.paretovariate(1.2) * 4), 300)):
            to_server = self.chance.random() < 0.4
            ports = (self.port, 3478) if to_server else (3478, self.port)
            payload = self.chance.randbytes(self.chance.randrange(40, 1250))
            yield self.packet(to_server, 17, udp(*ports, payload), self.chance.expovariate(50))

    def scan(self) -> Iterator[Packet]:
        for _ in range(self.chance.randrange(2, 20)):
            target = self.chance.randrange(1, 10_000)
            yield self.packet(True, 6, tcp(self.port, target, 0x02, b"", self.number), 0.001)
            yield self.packet(False, 6, tcp(target, self.port, 0x14, b"", 0), 0.001)

    def ping(self) -> Iterator[Packet]:
        protocol, kind = (58, 128) if self.is_ipv6 else (1, 8)
        for number in range(4):
            message = struct.pack("!BBHHH", kind, 0, 0, self.port, number) + bytes(48)
            yield self.packet(True, protocol, message, 1)


def write_capture(path: Path, packets: int) -> None:
    """A pcap of ``packets`` packets of mixed conversations, always the same."""
    chance = random.Random(7)
    made: list[Packet] = []
    begin = 1_700_000_000 * SECOND
    while len(made) < packets:
        begin += int(chance.expovariate(60) * SECOND)
        talk = Conversation(chance, begin)
        kinds = (talk.name_lookup, talk.web, talk.media, talk.scan, talk.ping)
        made += chance.choices(kinds, (40, 40, 12, 5, 3))[0]()
    made = sorted(made, key=lambda packet: packet[0])[:packets]
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for when, data in made:
            size = len(data)
            file.write(struct.pack("<IIII", when // SECOND, when % SECOND, size, size) + data)


# --- the tools: each reads the capture and says how many packets it saw -------------------------


def read_bytes(path: Path, limit: int) -> int:
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(2 << 20)
        while file.readinto(buffer):
            pass
    return limit


def decode(path: Path, limit: int) -> int:
    from pipelines.capture import CaptureHealth, read_batches

    return sum(len(batch) for batch in read_batches(path, CaptureHealth()))


def flow_features(path: Path, limit: int) -> int:
    from pipelines.capture import CaptureHealth, read_flows

    health = CaptureHealth()
    for _ in read_flows(path, health=health):
        pass
    return health.packets


def scapy_frames(path: Path, limit: int) -> int:
    from scapy.utils import RawPcapReader

    with RawPcapReader(str(path)) as reader:
        return sum(1 for _ in reader)


def scapy_dissection(path: Path, limit: int) -> int:
    from scapy.utils import PcapReader

    with PcapReader(str(path)) as reader:
        return sum(1 for _ in itertools.islice(reader, limit))


def dpkt_dissection(path: Path, limit: int) -> int:
    import dpkt

    with path.open("rb") as file:
        return sum(1 for _, data in dpkt.pcap.Reader(file) if dpkt.ethernet.Ethernet(data))


def nfstream_flows(path: Path, limit: int) -> int:
    from nfstream import NFStreamer

    stream = NFStreamer(source=str(path), statistical_analysis=True, n_dissections=0)
    return sum(flow.bidirectional_packets for flow in stream)


def shard(path: Path, limit: int) -> int:
    from pipelines.capture import FlowSettings
    from pipelines.capture.shards import ShardTask, code_version, make_shard

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        task = ShardTask((path,), Path(folder), "flow", FlowSettings(), code_version())
        return make_shard(task).record.health.packets


def tshark_fields(path: Path, limit: int) -> int:
    names = "frame.time_epoch frame.len ip.src ip.dst ipv6.src ipv6.dst ip.proto ip.ttl"
    names += " tcp.srcport tcp.dstport tcp.flags tcp.seq tcp.len udp.srcport udp.dstport"
    fields = [option for name in names.split() for option in ("-e", name)]
    with subprocess.Popen(
        ["tshark", "-n", "-r", path, "-T", "fields", *fields],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as program:
        return sum(1 for _ in program.stdout or ())


TOOLS: dict[str, tuple[str, str, Callable[[Path, int], int]]] = {
    "read": ("bytes only", "numpy", read_bytes),
    "decode": ("netloop: packets", "pipelines.capture", decode),
    "flows": ("netloop: flows and statistics", "pipelines.capture", flow_features),
    "shard": ("netloop: flows to Parquet", "pipelines.capture.shards", shard),
    "nfstream": ("NFStream: flows and statistics", "nfstream", nfstream_flows),
    "tshark": ("tshark -T fields", "tshark", tshark_fields),
    "dpkt": ("dpkt: dissection", "dpkt", dpkt_dissection),
    "scapy-raw": ("scapy: framing only", "scapy.all", scapy_frames),
    "scapy": ("scapy: dissection", "scapy.all", scapy_dissection),
}


# --- measuring ---------------------------------------------------------------------------------


def measure(tool: str, path: Path, limit: int) -> dict[str, float]:
    """Run one tool in this process: packets a second, and peak memory with that of its children."""
    _, module, run = TOOLS[tool]
    if not shutil.which(module):
        importlib.import_module(module)
    begin = time.perf_counter()
    packets = run(path, limit)
    seconds = time.perf_counter() - begin
    return {"packets": packets, "seconds": seconds, "memory_mb": peak_memory()}


def peak_memory() -> float:
    """Peak memory in MB of this process and of its largest child."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    # Not ru_maxrss of this process: it begins with what the process that started it had.
    status = Path("/proc/self/status").read_text()
    own = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(own) / 1024 + children


def measure_apart(tool: str, path: Path, limit: int) -> dict[str, float]:
    """One run, in a process of its own."""
    command = [sys.executable, __file__, "--measure", tool, "--capture", str(path)]
    done = subprocess.run(
        [*command, "--scapy-packets", str(limit)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    run: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return run


def installed(name: str) -> bool:
    """Whether there is a module or a program of that name."""
    return bool(shutil.which(name) or importlib.util.find_spec(name.partition(".")[0]))


def compare(path: Path, packets: int, limit: int, repeats: int) -> None:
    tools = [tool for tool, (_, module, _) in TOOLS.items() if installed(module)]
    runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in tools}
    # The tools take turns, so that a busy moment of the machine meets all of them.
    for count in range(repeats):
        for tool in tools:
            given = packets if tool == "read" else limit
            runs[tool].append(measure_apart(tool, path, given))
        print(f"round {count + 1} of {repeats}", file=sys.stderr)
    results = {
        tool: min(found, key=lambda run: run["seconds"] / run["packets"])
        for tool, found in runs.items()
    }
    rates = {tool: run["packets"] / run["seconds"] for tool, run in results.items()}
    print(f"{packets:,} packets, {path.stat().st_size / 1e6:.0f} MB, best of {repeats}\n")
    print(
        f"{'tool':<32}{'packets/s':>14}{'x scapy':>10}{'x NFStream':>12}{'x tshark':>10}"
        f"{'peak MB':>9}"
    )
    for tool, run in results.items():
        ratios = [
            f"{rates[tool] / rates[other]:,.1f}" if other in rates else "-"
            for other in ("scapy", "nfstream", "tshark")
        ]
        print(
            f"{TOOLS[tool][0]:<32}{rates[tool]:>14,.0f}{ratios[0]:>10}{ratios[1]:>12}{ratios[2]:>10}"
            f"{run['memory_mb']:>9.0f}"
        )


def compare_sizes(folder: Path, packets: int) -> None:
    """Memory and rate on a big capture and on one of a tenth of its packets."""
    from traffic import write_traffic

    sizes = {packets // 10: folder / "tenth.pcap", packets: folder / "big.pcap"}
    for count, path in sizes.items():
        written = write_traffic(path, count)
        print(f"made {count:,} packets, {written / 1e6:,.0f} MB", file=sys.stderr)
    print(f"{'':<32}{'packets':>12}{'packets/s':>14}{'peak MB':>9}{'memory':>9}")
    for tool in ("flows", "shard"):
        runs = {count: measure_apart(tool, path, count) for count, path in sizes.items()}
        small = runs[packets // 10]["memory_mb"]
        for count, run in runs.items():
            rate = run["packets"] / run["seconds"]
            print(
                f"{TOOLS[tool][0]:<32}{count:>12,}{rate:>14,.0f}{run['memory_mb']:>9.0f}"
                f"{run['memory_mb'] / small:>8.2f}x"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, help="300,000, or 10,000,000 with --big")
    parser.add_argument("--big", action="store_true", help="memory on a big capture")
    parser.add_argument("--scapy-packets", type=int, default=20_000, help="dissected by scapy")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each tool; the best counts")
    parser.add_argument("--capture", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=TOOLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.capture, options.scapy_packets)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.big:
            compare_sizes(Path(folder), options.packets or 10_000_000)
            return
        path, packets = Path(folder) / "mixed.pcap", options.packets or 300_000
        write_capture(path, packets)
        compare(path, packets, options.scapy_packets, options.repeats)


if __name__ == "__main__":
    main()
