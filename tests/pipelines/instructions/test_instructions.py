"""netloop's own instructions, and instructions in files."""

import json
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from pipelines.errors import InputError
from pipelines.instructions import NONE, TASKS, Instruction, instruction_set, read_instructions
from pipelines.instructions.sentences import grammar_of

CODES = [task.code for task in (*TASKS, NONE)]


@pytest.fixture(scope="module")
def ours() -> list[Instruction]:
    return instruction_set()


def test_there_are_thousands_and_as_many_for_each_task(ours: list[Instruction]) -> None:
    assert Counter(row.task for row in ours) == dict.fromkeys(CODES, 800)


def test_no_two_are_the_same_whatever_their_case(ours: list[Instruction]) -> None:
    twice = [text for text, count in Counter(row.text.lower() for row in ours).items() if count > 1]
    assert twice == []


def test_a_smaller_set_is_the_beginning_of_each_task(ours: list[Instruction]) -> None:
    smaller = instruction_set(per_task=80)
    assert smaller == [row for code in CODES for row in of(code, ours)[:80]]


def test_another_seed_gives_other_sentences_for_the_same_tasks(ours: list[Instruction]) -> None:
    other = instruction_set(1, per_task=80)
    assert Counter(row.task for row in other) == dict.fromkeys(CODES, 80)
    written = {text for task in (*TASKS, NONE) for text in grammar_of(task)["whole"]}
    shared = {row.text for row in ours} & {row.text for row in other} - written
    assert len(shared) < len(other) / 20


@pytest.mark.parametrize("code", CODES)
def test_what_was_written_as_a_whole_is_there(ours: list[Instruction], code: str) -> None:
    task = next(task for task in (*TASKS, NONE) if task.code == code)
    written = grammar_of(task)["whole"]
    assert len(written) > 20
    assert set(written) <= {row.text for row in of(code, ours)}


@pytest.mark.parametrize("code", CODES)
def test_each_task_is_asked_for_in_many_ways(ours: list[Instruction], code: str) -> None:
    texts = [row.text for row in of(code, ours)]
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) <= 4
    assert max(lengths) >= 45
    beginnings = {" ".join(text.lower().split()[:3]) for text in texts}
    assert len(beginnings) > len(texts) / 3
    assert any(text.islower() for text in texts)
    assert any(text.isupper() for text in texts)
    assert sum("?" in text for text in texts) > len(texts) / 20


# Two of each group share their subject; what is asked for differs.
NEAR = [
    ("Was this flow sent by a banking trojan?", "MTD"),
    ("Write a flow as a banking trojan sends it.", "MTG"),
    ("Which botnet does this machine belong to?", "BND"),
    ("Create packets of the RBot botnet.", "BTG"),
    ("What application is hidden in this OpenVPN tunnel?", "EVD"),
    ("Generate packets of Skype in an OpenVPN tunnel.", "EVG"),
    ("What application is hidden behind this TLS session?", "EAC"),
    ("Generate encrypted packets of the Baidu app.", "EAG"),
    ("What does the Tor user do here, chat or mail?", "TBD"),
    ("Which website was opened in this page load?", "WF"),
    ("Which app is it, although its new version changed the traffic?", "CD"),
    ("Does this DNS over HTTPS session hide an iodine tunnel?", "MDD"),
    ("Is there SQL injection in this HTTP request?", "WAD"),
    ("Are these signs of lateral movement by an APT?", "AAD"),
    ("What is a botnet?", "NONE"),
    ("Generate a TLS certificate for the mail server.", "NONE"),
    ("How much bandwidth does our office need?", "NONE"),
    ("Write a regular expression for IPv6 addresses.", "NONE"),
]


@pytest.fixture(scope="module")
def learnt() -> Pipeline:
    """A linear model of words, which learnt from a quarter of the set."""
    rows = instruction_set(per_task=200)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC())
    return model.fit([row.text for row in rows], [row.task for row in rows])


@pytest.mark.parametrize(("text", "code"), NEAR)
def test_a_linear_model_of_words_learns_to_tell_near_tasks(
    learnt: Pipeline, text: str, code: str
) -> None:
    assert learnt.predict([text]) == [code]


def of(code: str, rows: list[Instruction]) -> list[Instruction]:
    return [row for row in rows if row.task == code]


def written(folder: Path, *lines: str) -> Path:
    path = folder / "instructions.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def row(instruction: object, output: object) -> str:
    return json.dumps({"instruction": instruction, "output": output})


def test_codes_and_names_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, row("Bot?", "bnd"), "", row(" Tor? ", "Tor Behavior Detection"))
    assert read_instructions(path) == [Instruction("Bot?", "BND"), Instruction("Tor?", "TBD")]


def test_other_keys_and_other_scripts_are_no_trouble(tmp_path: Path) -> None:
    line = '{"id": 7, "instruction": "这是僵尸网络吗?", "output": "BND"}'
    assert read_instructions(written(tmp_path, line)) == [Instruction("这是僵尸网络吗?", "BND")]


def test_what_is_written_is_read(tmp_path: Path, ours: list[Instruction]) -> None:
    path = written(tmp_path, *(row(one.text, one.task) for one in ours[::10]))
    assert read_instructions(path) == ours[::10]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("Is it a bot?", "line 2 is not JSON"),
        ("[1, 2]", "line 2 is no JSON object"),
        ('"text"', "line 2 is no JSON object"),
        ('{"output": "BND"}', "line 2 has no text under 'instruction'"),
        ('{"instruction": "Bot?"}', "line 2 has no text under 'output'"),
        (row("", "BND"), "line 2 has no text under 'instruction'"),
        (row(" \t", "BND"), "line 2 has no text under 'instruction'"),
        (row(["Bot?"], "BND"), "line 2 has no text under 'instruction'"),
        (row("Bot?", 3), "line 2 has no text under 'output'"),
        (row("Bot?", None), "line 2 has no text under 'output'"),
        (row("Bot?", "Botnet Detektion"), "line 2: There is no task 'Botnet Detektion'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, row("Bot?", "BND"), line)
    with pytest.raises(InputError) as raised:
        read_instructions(path)
    assert message in raised.value.message
    assert "instructions.jsonl" in raised.value.message
    assert raised.value.mend


def test_an_unknown_task_is_met_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean Website Fingerprinting"):
        read_instructions(written(tmp_path, row("Which site?", "Website Fingerprint")))


@pytest.mark.parametrize("content", ["", "\n\n  \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=r"empty\.jsonl holds no instructions"):
        read_instructions(path)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.jsonl"):
        with pytest.raises(InputError, match="cannot be read"):
            read_instructions(path)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"instruction": "Caf\xe9?", "output": "BND"}\n')
    with pytest.raises(InputError, match=r"latin\.jsonl cannot be read"):
        read_instructions(latin)
