"""Trying a server once: whether it answers, how it gives objects, what it reports."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

from agents.llm.client import Llm
from agents.llm.failures import UNUSABLE, Fault, LlmFailure
from agents.llm.meter import Limits, Meter
from agents.llm.record import AnswerLog, Exchange, utc_now
from agents.llm.servers import METHODS, Method, Server, remember_server
from agents.llm.settings import LlmSettings

# Another method may fare better; whatever else fails, fails with all of them.
_OF_METHOD: tuple[Fault, ...] = (*UNUSABLE, "bad_request", "server_error", "not_found")
_QUESTION = [("user", "Which city is the capital of France, and which rivers flow through it?")]


class _City(BaseModel):
    """A form that the question says nothing of: only a server that keeps to it gets it right."""

    city_name: str = Field(max_length=100)
    rivers: list[str] = Field(max_length=10)


def probe(settings: LlmSettings, key: SecretStr, workspace: Path) -> Server:
    """Ask a server for an object in each way until one works, then for words; remember it.

    What was sent and answered stands in ``<workspace>/doctor/``. Raises LlmFailure: why no way
    works; OSError if the workspace cannot be written.
    """
    folder = workspace / "doctor"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = utc_now()
    method = _first_that_works(settings, key, folder, f"doctor/{at}")
    told = _words(settings, key, folder, f"doctor/{at}/words")
    log = AnswerLog(folder / "llm.jsonl")
    usage = not log.of(f"doctor/{at}/{method}")[-1].estimated
    streaming = told is not None and told.method == "stream"
    server = Server(method=method, usage=usage, streaming=streaming, seen=at)
    remember_server(workspace, settings.who, server)
    return server


def known_models(settings: LlmSettings, key: SecretStr, workspace: Path) -> list[str]:
    """The names of the models that a server says it has; none if it does not say."""
    from agents.llm.line import Line

    line = Line(settings, key, workspace / "doctor" / "egress.jsonl")
    return line.models(line.door("doctor/models", lambda body: None))


def _first_that_works(settings: LlmSettings, key: SecretStr, folder: Path, place: str) -> Method:
    """The first method whose first answer can be used. Raises LlmFailure if there is none."""
    methods = METHODS if settings.method == "auto" else (settings.method,)
    failures = []
    for method in methods:
        llm = _llm(settings.model_copy(update={"method": method}), key, folder)
        try:
            llm.ask(_City, _QUESTION, f"{place}/{method}")
            return method
        except LlmFailure as failure:
            failures.append(failure)
            if failure.fault not in _OF_METHOD:
                break
    raise failures[-1]


def _words(settings: LlmSettings, key: SecretStr, folder: Path, place: str) -> Exchange | None:
    """How words came, if they came."""
    try:
        _llm(settings, key, folder).say(_QUESTION, place)
    except LlmFailure:
        return None
    return AnswerLog(folder / "llm.jsonl").of(place)[-1]


def _llm(settings: LlmSettings, key: SecretStr, folder: Path) -> Llm:
    log = AnswerLog(folder / "llm.jsonl")
    meter = Meter(Limits(), log)
    return Llm(settings, key, log, folder / "egress.jsonl", meter, reasks=0, sleep=_at_once)


def _at_once(seconds: float) -> None:
    """A person waits: a request that is worth another is sent again without delay."""
