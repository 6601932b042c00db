"""The spec file: what is accepted, what is refused and how it is said."""

from pathlib import Path

import pytest
import yaml

from agents.spec import Spec
from agents.spec_file import expand, load_spec, load_specs
from pipelines.errors import InputError

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "policy")

FULL = """
goal: Tell the applications and malware families in these captures apart
data:
  source: captures
  label: file
  test: null
  granularity: flow
  split: {by: time, test: 0.5}
requirements: {metric: macro_f1, target: 0.9}
design: {candidates: [baselines, cnn]}
budget: {minutes: 15}
seed: 0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(FULL)
    return file


def refused(path: Path, text: str, *changes: str) -> str:
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_spec(path, list(changes))
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_whole_spec_is_read(path: Path) -> None:
    spec = load_spec(path)
    assert spec.data.source == "captures"
    assert spec.data.split.by == "time"
    assert spec.requirements.target == 0.9
    assert spec.budget.minutes == 15


def test_the_shortest_spec_has_defaults(path: Path) -> None:
    path.write_text("goal: find scans\ndata: {source: captures}\n")
    spec = load_spec(path)
    assert spec.data.label is None
    assert spec.data.split.by is None
    assert spec.requirements.target is None
    assert spec.design.candidates == ["baselines", "cnn"]


def test_changes_win_over_the_file(path: Path) -> None:
    spec = load_spec(path, ["data.split.test=0.3", "seed=7", "design.candidates=[cnn]"])
    assert (spec.data.split.test, spec.seed, spec.design.candidates) == (0.3, 7, ["cnn"])


def test_a_change_may_make_a_part_that_the_file_lacks(path: Path) -> None:
    path.write_text("goal: find scans\ndata: {source: captures}\n")
    assert load_spec(path, ["requirements.target=0.8"]).requirements.target == 0.8


@pytest.mark.parametrize(
    ("key", "near"),
    [("goals", "goal"), ("dta", "data"), ("budgets", "budget")],
)
def test_an_unknown_key_is_named_with_the_nearest(path: Path, key: str, near: str) -> None:
    said = refused(path, f"goal: find scans\ndata: {{source: x}}\n{key}: 1\n")
    assert f"unknown key '{key}'" in said
    assert f"did you mean '{near}'" in said


def test_an_unknown_key_deep_down_is_named_with_its_place(path: Path) -> None:
    said = refused(path, "goal: find scans\ndata: {source: x, split: {bye: time}}\n")
    assert "unknown key 'data.split.bye', did you mean 'by'" in said


def test_an_unknown_key_below_an_optional_part(path: Path) -> None:
    said = refused(path, "goal: find scans\ndata: {source: x, sample: {perclass: 3}}\n")
    assert "did you mean 'per_class'" in said


LM = "goal: find scans\ndata: {source: x}\ndesign: {candidates: [traffic_lm], "


def test_a_language_model_is_a_candidate(path: Path) -> None:
    path.write_text(LM + "traffic_lm: {base: $BASES/mine, method: lora, controls: true}}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BASES", "/bases")
        given = load_spec(path).design.traffic_lm
    assert given is not None
    assert (given.base, given.method, given.controls) == ("/bases/mine", "lora", True)
    assert (given.epochs, given.labels) == (None, "tokens")


@pytest.mark.parametrize("name", ["traffic_lm", "traffic_lm_frozen", "traffic_lm_random"])
def test_a_language_model_needs_no_settings(path: Path, name: str) -> None:
    design = load_spec(path, [f"design.candidates=[baselines, {name}]"]).design
    assert design.candidates == ["baselines", name]
    assert design.traffic_lm is None


def test_one_setting_of_the_language_model_can_be_changed(path: Path) -> None:
    changes = ["design.candidates=[traffic_lm]", "design.traffic_lm.epochs=4"]
    given = load_spec(path, changes).design.traffic_lm
    assert given is not None and given.epochs == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{bsae: x}", "unknown key 'design.traffic_lm.bsae', did you mean 'base'"),
        ("{method: lra}", "design.traffic_lm.method"),
        ("{epochs: 0}", "design.traffic_lm.epochs"),
        ("{base: $NOT_SET/x}", "design.traffic_lm.base names the environment variable NOT_SET"),
    ],
)
def test_wrong_settings_of_the_language_model(path: Path, settings: str, said: str) -> None:
    assert said in refused(path, f"{LM}traffic_lm: {settings}}}\n")


def test_settings_of_a_model_that_is_no_candidate(path: Path) -> None:
    said = refused(path, FULL, "design.traffic_lm.epochs=4")
    assert "traffic_lm has settings here, but is not among the candidates" in said


def test_a_misspelt_language_model(path: Path) -> None:
    assert "did you mean 'traffic_lm'" in refused(path, FULL, "design.candidates=[trafic_lm]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("goal: find scans\n", "data: field required"),
        ("goal: find scans\ndata: {source: x, split: {test: 1.5}}\n", "data.split.test"),
        (
            "goal: find scans\ndata: {source: x}\nrequirements: {target: 90}\n",
            "requirements.target",
        ),
        ("goal: find scans\ndata: {source: x}\nbudget: {minutes: 0}\n", "budget.minutes"),
        ("goal: find scans\ndata: {source: x, granularity: byte}\n", "data.granularity"),
        ("goal: x\ndata: {source: x}\n", "goal"),
        ("- a list\n", "not a mapping"),
        ("goal: [unclosed\n", "not YAML"),
        ("", "not a mapping"),
    ],
)
def test_bad_specs_say_where(path: Path, text: str, said: str) -> None:
    assert said in refused(path, text)


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_spec(tmp_path / "none.yaml")


def test_a_spec_that_is_binary(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="not YAML"):
        load_spec(tmp_path / "spec.yaml")


def test_yaml_cannot_make_objects(path: Path) -> None:
    said = refused(
        path, "goal: !!python/object/apply:os.system ['touch /tmp/owned']\ndata: {source: x}\n"
    )
    assert "not YAML" in said


@pytest.mark.parametrize("change", ["seed", "=3", "data.source.deep=1", "seed=[1"])
def test_bad_changes_are_refused(path: Path, change: str) -> None:
    assert refused(path, FULL, change)


def test_variables_and_home_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTURES", "/somewhere")
    monkeypatch.setenv("HOME", "/home/me")
    assert expand("$CAPTURES/a", "data.source") == "/somewhere/a"
    assert expand("${CAPTURES}/a", "data.source") == "/somewhere/a"
    assert expand("~/a", "data.source") == "/home/me/a"
    assert expand(None, "data.test") is None


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAPTURES", raising=False)
    with pytest.raises(InputError, match="CAPTURES, which is not set") as caught:
        expand("$CAPTURES/a", "data.source")
    assert "export CAPTURES=" in caught.value.mend


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETLOOP_DATA", "/data")
    assert all("$" not in spec.data.source for spec in load_specs(example))


def test_a_spec_survives_json(path: Path) -> None:
    spec = load_spec(path)
    assert Spec.model_validate_json(spec.model_dump_json()) == spec
    assert yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json"))) == spec.model_dump(
        mode="json"
    )


TWO = "goal: one\ndata: {source: a}\n---\ngoal: two\ndata: {source: b}\n"


def test_several_specs_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(TWO)
    found = load_specs(path, ["seed=5"])
    assert [(spec.goal, spec.data.source, spec.seed) for spec in found] == [
        ("one", "a", 5), ("two", "b", 5),
    ]  # fmt: skip
    with pytest.raises(InputError, match="holds 2 specs") as caught:
        load_spec(path)
    assert "netloop augment" in caught.value.mend


@pytest.mark.parametrize("text", ["", "---\n", TWO + "---\n- a\n", TWO + "---\n"])
def test_a_part_that_is_no_spec(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="not a mapping"):
        load_specs(path)


def test_a_wrong_key_in_the_second(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(TWO + "gaol: x\n")
    with pytest.raises(InputError, match="gaol"):
        load_specs(path)


def test_absent_families_are_columns_and_values(path: Path) -> None:
    sample = "sample: {per_class: 10, absent: {category: [r2l, u2r]}}"
    path.write_text(f"goal: find scans\ndata: {{source: x, {sample}}}\n")
    found = load_spec(path).data.sample
    assert found is not None and found.absent == {"category": ["r2l", "u2r"]}
    changed = load_spec(path, ["data.sample.absent.attack=[spy]"]).data.sample
    assert changed is not None
    assert changed.absent == {"category": ["r2l", "u2r"], "attack": ["spy"]}


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("{category: []}", "at least 1 item"),
        ("{category: r2l}", "valid list"),
        ("[r2l]", "valid dictionary"),
        ("{category: [1]}", "valid string"),
    ],
)
def test_absent_families_that_cannot_be(path: Path, absent: str, said: str) -> None:
    text = f"goal: find scans\ndata: {{source: x, sample: {{per_class: 9, absent: {absent}}}}}\n"
    assert said in refused(path, text)
    assert "data.sample.absent" in refused(path, text)
