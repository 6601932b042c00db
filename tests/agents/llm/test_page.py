"""The settings on docs/llm.md are settings, and those that it calls defaults are the defaults."""

import re
from pathlib import Path

import yaml

from agents.llm.settings import LlmSettings
from agents.spec import BudgetSpec

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "llm.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_every_block_is_read() -> None:
    for block in BLOCKS:
        if "budget" in block:
            BudgetSpec.model_validate(block["budget"])
        else:
            LlmSettings.model_validate({"model": "m", **block})


def test_all_settings_stand_there_with_their_defaults() -> None:
    (whole,) = [block for block in BLOCKS if "method" in block]
    inner = {"login", "first_method"}  # found by netloop itself
    assert whole.keys() == LlmSettings.model_fields.keys() - inner
    chosen = LlmSettings.model_validate(whole).model_dump()
    default = LlmSettings(model=whole["model"], base_url=whole["base_url"]).model_dump()
    assert {**chosen, "prices": {}} == default
