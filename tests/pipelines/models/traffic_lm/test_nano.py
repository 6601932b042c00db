"""The base that is shipped: its card tells the truth, and it has what everything else needs."""

import re

import pytest

from pipelines.instructions.instructions import Instruction
from pipelines.models.traffic_lm.base import NANO, NANO_FOLDER, Base, fingerprint, load_base
from pipelines.models.traffic_lm.instruction_tuning import (
    evaluate_instructions,
    name_tasks,
    nano_tokens,
)
from pipelines.models.traffic_lm.vocabulary import is_extended
from pipelines.represent.traffic_text.symbols import bytes_text
from pipelines.represent.traffic_tokens import SIGNS
from pipelines.store.files import hash_file

MOST_WEIGHTS, MOST_BYTES = 8_000_000, 16_000_000


@pytest.fixture(scope="module")
def nano() -> Base:
    return load_base(NANO)


def test_it_is_as_small_as_it_promises(nano: Base) -> None:
    assert nano.model.num_parameters() <= MOST_WEIGHTS
    assert sum(path.stat().st_size for path in NANO_FOLDER.iterdir()) <= MOST_BYTES
    assert {path.suffix for path in NANO_FOLDER.iterdir()} == {".json", ".md", ".safetensors"}


def test_the_card_names_the_files_that_lie_beside_it() -> None:
    card = (NANO_FOLDER / "README.md").read_text()
    assert hash_file(NANO_FOLDER / "model.safetensors") in card
    assert fingerprint(NANO_FOLDER) in card
    for word in ("data", "seed", "epochs", "loss"):
        assert re.search(rf"\b{word}\b", card), word


def test_no_labelled_set_is_among_its_data() -> None:
    card = (NANO_FOLDER / "README.md").read_text().lower()
    for name in ("ustc", "malware", "attack", "nsl", "unsw", "csic", "iot"):
        assert name not in card.replace("malware traffic", ""), name


def test_it_has_tokens_and_marks(nano: Base) -> None:
    assert is_extended(nano.tokenizer)
    tokens = nano_tokens()
    assert set(SIGNS) <= set(tokens)
    assert len(tokens) > 2000


def test_all_bytes_come_back(nano: Base) -> None:
    text = bytes_text(bytes(range(256)) * 2)
    tokens = nano.tokenizer.encode(text, add_special_tokens=False)
    assert nano.tokenizer.decode(tokens, skip_special_tokens=False) == text


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Is the program behind these flows malware?", "MTD"),
        ("Find out whether these hosts belong to a botnet.", "BND"),
        ("Does this DoH traffic hide a tunnel made by iodine?", "MDD"),
        ("Check the HTTP request for SQL injection.", "WAD"),
        ("What does the user do over Tor: chat, mail or file transfer?", "TBD"),
        ("Tell which website was visited from the encrypted traffic.", "WF"),
        ("Generate traffic of the Zeus botnet.", "BTG"),
        ("What will the weather be like tomorrow?", "NONE"),
    ],
)
def test_plain_sentences_are_understood(nano: Base, text: str, task: str) -> None:
    assert name_tasks(nano, [text])[0] == [task]


def test_its_own_words_are_known(nano: Base) -> None:
    """Sentences that nobody drew from the grammar."""
    rows = [
        Instruction("classify which app produced this TLS session", "EAC"),
        Instruction("i need synthetic vpn flows of skype", "EVG"),
        Instruction("please write me a poem about routers", "NONE"),
        Instruction("the app got a new version; still name it from the flow", "CD"),
    ]
    assert evaluate_instructions(nano, rows).accuracy >= 0.75
