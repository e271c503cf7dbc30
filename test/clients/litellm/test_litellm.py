"""LiteLLM, which reaches a server of hfms as one of `openai/`."""

import json
import os
from typing import Literal

import litellm
import pytest
from pydantic import BaseModel, Field

SERVER = {"api_base": os.environ["HFMS_BASE_URL"], "api_key": "none"}
CHAT = {"model": "openai/" + os.environ["HFMS_CHAT_MODEL"], **SERVER}
ASKED = {
    **CHAT,
    "messages": [{"role": "user", "content": "The river runs"}],
    "max_tokens": 8,
    "temperature": 0,
    "num_retries": 0,
}
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"enum": [1, 2]}, "b": {"enum": [3]}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}


class Mood(BaseModel):
    mood: Literal["good", "bad"]
    count: int = Field(ge=0, le=9)


def test_chat():
    answer = litellm.completion(**ASKED)
    assert answer.choices[0].message.role == "assistant"
    assert 0 < answer.usage.completion_tokens <= 8


def test_stream():
    whole = litellm.completion(**ASKED).choices[0].message.content
    chunks = list(litellm.completion(**ASKED, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole
    assert chunks[-1].usage.completion_tokens <= 8


def test_tools():
    asked = {**ASKED, "max_tokens": None, "tools": [ADD], "tool_choice": "required", "parallel_tool_calls": False}
    [call] = litellm.completion(**asked).choices[0].message.tool_calls
    assert call.function.name == "add"
    assert json.loads(call.function.arguments)["b"] == 3
    chunks = list(litellm.completion(**asked, stream=True))
    whole = litellm.stream_chunk_builder(chunks)
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.choices[0].message.tool_calls[0].function.arguments == call.function.arguments


def test_schema():
    answer = litellm.completion(**{**ASKED, "max_tokens": 200}, response_format=Mood)
    assert Mood.model_validate_json(answer.choices[0].message.content)


def test_embeddings():
    model = "openai/" + os.environ["HFMS_EMBED_MODEL"]
    vectors = litellm.embedding(model=model, input=["a cat", "a dog"], **SERVER).data
    assert len(vectors) == 2
    assert len(vectors[0]["embedding"]) > 0


def test_errors():
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**{**ASKED, "model": "openai/no-such-model"})
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(**{**ASKED, "temperature": 3})
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**{**ASKED, "messages": [{"role": "user", "content": "word " * 20000}]})
