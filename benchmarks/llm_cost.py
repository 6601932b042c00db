"""What a language model as planner costs: requests and tokens of the quickstart, stage by stage.

A scripted model on loopback repeats the rules' plans, so that the run is the quickstart's own. Its
tokens are counted from the bytes that left and came back: no tokenizer of a model is at hand, and
four bytes a token is usual for English and JSON.

    python benchmarks/llm_cost.py [--sees stats]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "shared"))

from openai_double import openai_double  # noqa: E402
from planner_double import PlannerDouble  # noqa: E402

BYTES_A_TOKEN = 4
NETLOOP = Path(sys.executable).with_name("netloop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sees", default="stats", help="schema, stats, redacted or raw")
    sees = parser.parse_args().sees
    with tempfile.TemporaryDirectory() as folder, openai_double(PlannerDouble()) as server:
        workspace = Path(folder)
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": server.base_url,
            "NETLOOP_MODEL": "double",
            "NETLOOP_WORKSPACE": str(workspace),
        }
        run(["lab", str(workspace / "lab")], environment)
        words = ["run", str(ROOT / "examples" / "quickstart.yaml"), "--approve", "auto"]
        words += ["--set", f"data.source={workspace / 'lab'}", "--set", f"llm_sees={sees}"]
        run(words, environment)
        (folder_of_run,) = (workspace / "runs").iterdir()
        report(folder_of_run)


def run(words: list[str], environment: dict[str, str]) -> None:
    subprocess.run([NETLOOP, *words], env=environment, check=True, capture_output=True)


def report(run: Path) -> None:
    sent = lines(run / "egress.jsonl")
    answers = {line["place"]: len(line["answer"] or "") for line in lines(run / "llm.jsonl")}
    print(f"{'asked':<24} {'bytes out':>10} {'tokens out':>10} {'tokens back':>11}")
    for line in sent:
        back = answers[line["place"]]
        print(
            f"{line['place']:<24} {line['bytes']:>10,} {line['bytes'] / BYTES_A_TOKEN:>10,.0f} "
            f"{back / BYTES_A_TOKEN:>11,.0f}"
        )
    out, back = sum(line["bytes"] for line in sent), sum(answers.values())
    print(
        f"{len(sent)} requests, {out / BYTES_A_TOKEN:,.0f} tokens out, "
        f"{back / BYTES_A_TOKEN:,.0f} back"
    )


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
