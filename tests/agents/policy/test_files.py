"""Reading policy files: every slip is named with what it should have been."""

import re
from pathlib import Path

import pytest

from agents.policy import load_policy
from pipelines.errors import InputError
from tools.registry import TOOLS

REPOSITORY = Path(__file__).resolve().parents[3]

FULL = """
rules:
  - {stage: requirements, decide: approve, why: "always the same data"}
  - tool: "train_*"
    params: {epochs: {max: 30}, masks: {in: [addresses, ports, ttl]}}
    risk: [train]
    max_minutes: 30
    max_memory_mb: 8000
    max_rows: 1000000
    max_llm_calls: 0
    max_tokens: 0
    max_money: 0
    decide: approve
  - {tool: detect_live, risk: [deploy], params: {seconds: {max: 60}}, decide: approve}
  - {tool: none, decide: approve}
  - {tool: "*_rows", stage: cleaning, params: {test: {min: 0.1, max: 0.5}}, decide: ask}
  - {decide: refuse}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text)
    return path


def test_everything_that_a_rule_may_say(tmp_path: Path) -> None:
    assert len(load_policy(written(tmp_path, FULL)).rules) == 6


def test_the_example_and_the_one_in_the_docs_are_the_same() -> None:
    example = (REPOSITORY / "examples" / "policy.yaml").read_text()
    docs = (REPOSITORY / "docs" / "policy.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL)
    assert block == example.partition("\n")[2]
    assert len(load_policy(REPOSITORY / "examples" / "policy.yaml").rules) == 7


@pytest.mark.parametrize(
    ("text", "said", "mend"),
    [
        ("rules: []\n", "rules", "Example"),
        ("ruels: []\n", "no key 'ruels'", "Did you mean rules"),
        ("rules: [{deside: ask}]\n", "no key 'deside'", "Did you mean decide"),
        ("{}\n", "rules: field required", "Example"),
        ("rules: [{decide: ask}]\nrule: 1\n", "no key 'rule'", "rules"),
        ("[]\n", "no mapping", "Example"),
        ("", "no mapping", "Example"),
        ("rules: [x]\n", "rule 1: Input should be", "Example"),
        ("rules: [{decide: aprove}]\n", "rule 1: decide", "approve"),
        ("rules: [{decide: null}]\n", "rule 1: decide", "Did you mean"),
        ("rules: [{stage: design}]\n", "rule 1: decide: field required", "Example"),
        (
            "rules: [{decide: ask}, {tol: x, decide: ask}]\n",
            "rule 2: there is no key 'tol'",
            "tool",
        ),
        ("rules: [{max_minuts: 3, decide: ask}]\n", "no key 'max_minuts'", "max_minutes"),
        ("rules: [{max_minutes: -1, decide: ask}]\n", "max_minutes", ""),
        ("rules: [{max_minutes: .inf, decide: ask}]\n", "max_minutes", ""),
        ("rules: [{max_rows: 1.5, decide: ask}]\n", "max_rows", ""),
        ("rules: [{risk: [], decide: ask}]\n", "risk", ""),
        ("rules: [{risk: [trian], decide: ask}]\n", "risk", "train"),
        ("rules: [{stage: desing, decide: ask}]\n", "no stage is called 'desing'", "design"),
        ("rules: [{tool: trian_*, decide: refuse}]\n", "no tool is called 'trian_.'", "train_"),
        ("rules: [{tool: train_cn, decide: refuse}]\n", "called 'train_cn'", "train_cnn"),
        ("rules: [\n", "not YAML", ""),
        ("rules: [{decide: !!python/name:os.system }]\n", "not YAML", ""),
        ("rules: [{added: 2026-13-45, decide: ask}]\n", "not YAML", ""),
        ("a: &a [*a]\n", "no key 'a'", "rules"),
        (
            "rules: [{max_minutes: 3, tool: train_cnn, max_minutes: 300, decide: approve}]\n",
            "line 1: 'max_minutes' is given twice",
            "Keep one",
        ),
        ("rules: [{decide: ask}]\nrules: [{decide: approve}]\n", "'rules' is given twice", ""),
    ],
)
def test_bad_files_say_where_and_what_else(tmp_path: Path, text: str, said: str, mend: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_policy(written(tmp_path, text))
    assert mend in caught.value.mend
    assert str(tmp_path / "policy.yaml") in caught.value.message


@pytest.mark.parametrize(
    ("rule", "said", "mend"),
    [
        (
            "tool: train_cnn, params: {epoch: {max: 3}}",
            "no tool 'train_cnn' has .* 'epoch'",
            "epochs",
        ),
        ("tool: train_*, params: {draws: {max: 3}}", "has a parameter 'draws'", "Did you mean"),
        (
            "tool: write_report, params: {epochs: {max: 3}}",
            "has a parameter 'epochs'",
            "It has none",
        ),
        ("tool: none, params: {epochs: {max: 3}}", "has a parameter 'epochs'", "It has none"),
        ("params: {epochs: {max: 30}, test: {max: 1}}", "epochs and test together", "each tool"),
        ("params: {epochs: {}}", "epochs: says nothing", "min, max or in"),
        ("params: {epochs: {maxx: 3}}", "no key 'params.epochs.maxx'", "max"),
        ("params: {epochs: {among: [3]}}", "no key 'params.epochs.among'", "Did you mean"),
        ("params: {epochs: {in: []}}", "params.epochs.in", ""),
        ("params: {epochs: {max: lots}}", "params.epochs.max", ""),
        ("params: {epochs: {max: .nan}}", "params.epochs.max", ""),
        ("params: {epochs: 30}", "params.epochs", ""),
        ("params: {epochs: {min: 9, max: 3}}", "epochs can never be at least 9 and at most 3", ""),
        ("params: {epochs: {max: 0}}", "epochs can never be at most 0", "at least 1 and at most"),
        ("params: {test: {min: 2}}", "test can never be at least 2", "at least 0 and at most 1"),
        ("params: {epochs: {in: [3, many]}}", 'epochs can never be "many"', ""),
        ("params: {by: {in: [time, captures]}}", 'by can never be "captures"', "capture"),
        ("params: {controls: {in: [traffic_lm_rnd]}}", "controls can never", "traffic_lm_random"),
        ("params: {by: {max: 3}}", "by is no number", "in:"),
        ("params: {protocols: {max: 1}}", "protocols is no number", "in:"),
        ("tool: train_cnn, risk: [read]", "'train_cnn' is of risk read", "train_cnn .train."),
        ("stage: cleaning, tool: train_cnn", "'cleaning' does not use 'train_cnn'", "design"),
    ],
)
@pytest.mark.parametrize("decide", ["approve", "refuse"])
def test_a_rule_that_could_never_match_is_refused(
    tmp_path: Path, rule: str, said: str, mend: str, decide: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_policy(written(tmp_path, f"rules: [{{{rule}, decide: {decide}}}]\n"))
    assert re.search(mend, caught.value.mend)
    assert "rule 1" in caught.value.message


@pytest.mark.parametrize(
    "rule",
    [
        "risk: [deploy]",
        "risk: [read, deploy], tool: 'detect_*'",
        "tool: detect_live",
        "tool: export_flows",
        "tool: export_flows, risk: [write]",
    ],
)
def test_a_yes_to_what_acts_outside_needs_its_name_and_its_risk(tmp_path: Path, rule: str) -> None:
    with pytest.raises(InputError, match="names one tool") as caught:
        load_policy(written(tmp_path, f"rules: [{{{rule}, decide: approve}}]\n"))
    assert "risk: [deploy]" in caught.value.mend
    if "write" not in rule:  # of that risk it is nowhere
        assert load_policy(written(tmp_path, f"rules: [{{{rule}, decide: refuse}}]\n"))


def test_bounds_may_reach_over_what_a_tool_takes(tmp_path: Path) -> None:
    rule = "{tool: split_rows, params: {test: {min: 0, max: 2}}, decide: approve}"
    assert load_policy(written(tmp_path, f"rules: [{rule}]\n"))


def test_any_parameter_of_any_tool_can_be_bounded(tmp_path: Path) -> None:
    for name, tool in TOOLS.items():
        for parameter, field in tool.params.model_json_schema().get("properties", {}).items():
            kinds = [kind.get("type") for kind in field.get("anyOf", [field])]
            number = "integer" in kinds or "number" in kinds
            bounds = "{min: 0.001, max: 1000000000}" if number else "{in: ['[]']}"
            text = f"rules: [{{tool: {name}, params: {{{parameter}: {bounds}}}, decide: refuse}}]\n"
            try:
                load_policy(written(tmp_path, text))
            except InputError as error:
                assert "can never be" in error.message and not number, f"{name}.{parameter}"


def test_a_policy_that_is_not_there_says_what_else_approve_takes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not ask, not auto"):
        load_policy(tmp_path / "atuo")


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no policy file"):
        load_policy(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"rules: [\xff\xfe\x00]")
    with pytest.raises(InputError, match="not YAML"):
        load_policy(tmp_path / "p.yaml")
