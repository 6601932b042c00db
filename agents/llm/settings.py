"""Which model at which server: from the environment and ``<workspace>/llm.yaml``."""

import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from agents.llm.servers import Method, known_server
from pipelines.errors import InputError

FILE = "llm.yaml"
OPENAI = "https://api.openai.com/v1"
ENVIRONMENT = {
    "base_url": "OPENAI_BASE_URL",
    "model": "NETLOOP_MODEL",
    "offline": "NETLOOP_OFFLINE",
}
OURS = {"model", "messages", "max_tokens", "max_completion_tokens", "n", "tools", "stream"}
_SECRET_NAME = re.compile(r"(?i)key|secret|password|authorization|login|^token$|auth_?token")
_SECRET_VALUE = re.compile(r"\bsk-[\w-]{8,}|(?i:bearer )|://[^/@\s]+@")


class Price(BaseModel):
    """US dollars for a million tokens, read and written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """US dollars for so many tokens."""
        return (self.input * tokens_in + self.output * tokens_out) / 1e6


class LlmSettings(BaseModel):
    """One model at one server. A user and password in ``base_url`` are kept apart from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str = OPENAI
    model: str = Field(min_length=1, max_length=200)
    method: Literal["auto", Method] = "auto"
    """How objects are asked for; auto begins with what ``netloop doctor`` found to work."""
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    seed: int | None = None
    timeout_seconds: float = Field(default=120, gt=0, le=3600)
    max_tokens: int = Field(default=4096, ge=1)
    """Tokens of an answer, thinking included."""
    prices: dict[str, Price] = Field(default_factory=dict)
    """By the model's name; a server on this machine costs nothing."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Goes into every request as it is: what only this server understands."""
    offline: bool = False
    """Nothing is sent, to this machine neither."""
    login: SecretStr | None = None
    first_method: Method | None = None

    @model_validator(mode="before")
    @classmethod
    def _login_apart(cls, found: dict[str, object]) -> dict[str, object]:
        try:
            parts = urlsplit(str(found.get("base_url", "")))
        except ValueError:  # _address says so
            return found
        login, at, host = parts.netloc.rpartition("@")
        if not at:
            return found
        clean = parts._replace(netloc=host).geturl()
        return {**found, "base_url": clean, "login": SecretStr(unquote(login))}

    @field_validator("extra_body")
    @classmethod
    def _of_the_server(cls, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Only what this server alone understands: the rest is reckoned with by its own name."""
        if taken := sorted(body.keys() & OURS):
            raise ValueError(f"{', '.join(taken)} has a setting of its own, or is not yours to set")
        try:
            json.dumps(body, allow_nan=False)
        except ValueError:
            raise ValueError("holds a number that JSON cannot say") from None
        return body

    @field_validator("base_url")
    @classmethod
    def _address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("should be an address such as http://127.0.0.1:8000/v1")
        if parts.query or parts.fragment:
            raise ValueError("should end before the ? or #")
        if parts.path.rstrip("/").endswith("/completions"):
            raise ValueError("should end before /chat/completions")
        return address.rstrip("/")

    @property
    def who(self) -> str:
        """The model and its server, for people."""
        return f"{self.model} at {self.base_url}"

    @property
    def price(self) -> Price | None:
        """What the model costs; None if nobody said."""
        if self.model in self.prices or not is_this_machine(self.base_url):
            return self.prices.get(self.model)
        return Price(input=0, output=0)


def is_this_machine(address: str) -> bool:
    """Whether an address is the machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def llm_settings(workspace: Path) -> LlmSettings | None:
    """The settings of a workspace, the environment before its file; None if no model is named.

    Raises InputError: the file is no YAML, has an unknown key, a wrong value, or holds a secret.
    """
    found = {**_file(workspace / FILE), **_environment()}
    if not found.get("model"):
        return None
    try:
        settings = LlmSettings.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        from_where = ENVIRONMENT[key] if key in _environment() else f"{workspace / FILE}: {key}"
        words = first["msg"].removeprefix("Value error, ").lower()
        raise InputError(f"{from_where}: {words}.", "See docs/llm.md.") from None
    server = known_server(workspace, settings.who)
    return (
        settings if server is None else settings.model_copy(update={"first_method": server.method})
    )


def llm_key() -> SecretStr:
    """The key of ``OPENAI_API_KEY``, from nowhere else; empty for servers that want none.

    Raises InputError if it cannot be a key (the message does not show it).
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise InputError("OPENAI_API_KEY holds blanks or letters that no key has.", "Set it again.")
    return SecretStr(key)


def _environment() -> dict[str, str]:
    found = {key: os.environ.get(name, "").strip() for key, name in ENVIRONMENT.items()}
    return {key: value for key, value in found.items() if value}


def _file(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        raise InputError(f"{path} cannot be read as YAML.", "See docs/llm.md.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} should hold keys and values.", "Example: model: llama3.1:8b")
    if (secret := _secret(content)) is not None:
        raise InputError(
            f"{path} holds a secret at {secret}: netloop reads no key from a file.",
            "Take it out, and set OPENAI_API_KEY (or a login within OPENAI_BASE_URL) instead.",
        )
    return content


def _secret(value: object, place: str = "") -> str | None:
    """Where something looks like a key or a password; its value is never shown."""
    if isinstance(value, dict):
        for name, part in value.items():
            inner = f"{place}.{name}".strip(".")
            if _SECRET_NAME.search(str(name)):
                return inner
            if found := _secret(part, inner):
                return found
        return None
    if isinstance(value, list):
        return next((place for part in value if _secret(part, place)), None)
    return place if isinstance(value, str) and _SECRET_VALUE.search(value) else None
