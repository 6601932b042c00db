"""How fast flows are exported, a profile after the other, each in a process of its own.

    python benchmarks/export.py CAPTURE [REPEATS]

Rows are made and not written: what a profile costs beside the flow table itself, named ``flows``.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

from pipelines.capture import CaptureHealth, FlowSettings, read_flows
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES

REPEATS = 3


def measure(name: str, capture: Path) -> str:
    """One run: packets a second, rows, peak memory in MB."""
    health, settings = CaptureHealth(), FlowSettings()
    started = time.perf_counter()
    if name == "flows":
        tables = read_flows(capture, settings, health=health)
    else:
        tables = profile_rows(capture, PROFILES[name], settings, health=health)
    rows = sum(table.num_rows for table in tables)
    speed = health.packets / (time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return f"{speed:.0f} {rows} {peak}"


def main() -> None:
    if len(sys.argv) == 4:
        print(measure(sys.argv[3], Path(sys.argv[1])))
        return
    capture, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else REPEATS
    print("| profile | packets/s | rows | peak MB |\n|---|---|---|---|")
    for name in ("flows", *PROFILES):
        command = [sys.executable, __file__, capture, "1", name]
        runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(repeats)]
        best = max((run.stdout.split() for run in runs), key=lambda found: int(found[0]))
        print(f"| {name} | {int(best[0]):,} | {int(best[1]):,} | {best[2]} |")


if __name__ == "__main__":
    main()
