"""The four ways to ask for an object: what goes into the request, and where the answer stands."""

import json

from pydantic import BaseModel, JsonValue

from agents.llm.failures import LlmFailure
from agents.llm.reply import Reply
from agents.llm.servers import Method

Messages = list[tuple[str, str]]


def request_parts(method: Method, schema: type[BaseModel]) -> dict[str, JsonValue]:
    """What a method adds to the body of a request."""
    form, name = schema.model_json_schema(), schema.__name__
    if method == "json_schema":
        wanted: JsonValue = {"name": name, "schema": form}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    if method == "tools":
        function: JsonValue = {
            "name": name,
            "description": "Give your answer.",
            "parameters": form,
        }
        chosen: JsonValue = {"type": "function", "function": {"name": name}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": chosen}
    return {"response_format": {"type": "json_object"}} if method == "json_mode" else {}


def with_words(messages: Messages, words: str) -> Messages:
    """The messages with more words in the last: two of one side in a row confuse some models."""
    role, text = messages[-1]
    return [*messages[:-1], (role, f"{text}\n\n{words}")]


def schema_in_words(schema: type[BaseModel]) -> str:
    """The demand for one JSON object that fits a schema."""
    form = json.dumps(schema.model_json_schema(), ensure_ascii=False)
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{form}"


def answer_text(reply: Reply, schema: type[BaseModel]) -> str:
    """The text in which the object stands.

    Raises LlmFailure: empty, truncated, refusal or wrong_tool. A tool that was not called is no
    fault if there is a text: many models write the arguments into it.
    """
    name = schema.__name__
    called = next((arguments for tool, arguments in reply.calls if tool == name), "")
    text = called or reply.text
    if reply.refusal or reply.finish == "content_filter":
        raise LlmFailure("refusal", reply.refusal, answer=text)
    if reply.finish == "length":
        raise LlmFailure("truncated", answer=text)
    if reply.calls and not called:
        tools = ", ".join(tool for tool, _ in reply.calls)
        raise LlmFailure("wrong_tool", f"It called {tools}, not {name}.", answer=text)
    if not text.strip():
        raise LlmFailure("empty", "It wrote thoughts only." if reply.thought else "")
    return text
