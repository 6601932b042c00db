"""What a language model costs each layout of several sites, with one on loopback that knows better.

    python benchmarks/sites_cost.py [--rows 600] [--amount 2] [--sites 4]

So many records of one half of NSL-KDD are seen at sites that see different classes; a model behind
a real HTTP server writes held-back records of the other half. ``netloop sites`` compares layouts
without synthetic rows, with those of smote, and with the model's. The server counts no tokens, so
netloop estimates them from bytes: three a token.
"""

import argparse
import os
import subprocess
import tempfile
from itertools import islice
from pathlib import Path

from augmentation import NETLOOP, two_halves  # puts tests/shared on the path
from openai_double import openai_double
from rows_double import RowsDouble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--amount", type=float, default=2)
    parser.add_argument("--sites", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        held_back = two_halves(Path(folder) / "half.csv", seed=0)
        with (Path(folder) / "half.csv").open() as half:
            few = "".join(islice(half, 1 + options.rows))
        (Path(folder) / "few.csv").write_text(few)
        double = RowsDouble("perfect", held_back)
        with openai_double(double, default="no_usage") as server:
            env = {**os.environ, "OPENAI_BASE_URL": server.base_url, "NETLOOP_MODEL": "double"}
            for words in ([], ["--augment", "smote"], ["--augment", "llm"]):
                amount = ["--amount", str(options.amount)] if words else []
                command = [
                    NETLOOP, "sites", "few.csv", "--label", "class", "--count", str(options.sites),
                    "--mbit", "10", *words, *amount,
                ]  # fmt: skip
                print(" ".join(words) or "no synthetic rows", flush=True)
                subprocess.run(command, cwd=folder, env=env, check=True)
            left = sum(len(received.body) for received in server.requests)
            print(f"The server saw {len(server.requests):,} requests and {left:,} bytes.")


if __name__ == "__main__":
    main()
