"""Numbers in sentences."""

import pytest

from pipelines.words import counted


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (1, ["capture"], "1 capture"),
        (0, ["capture"], "0 captures"),
        (2000, ["capture"], "2,000 captures"),
        (1, ["class has", "classes have"], "1 class has"),
        (2, ["class has", "classes have"], "2 classes have"),
    ],
)
def test_a_noun_agrees_with_its_number(count: int, words: list[str], said: str) -> None:
    assert counted(count, *words) == said
