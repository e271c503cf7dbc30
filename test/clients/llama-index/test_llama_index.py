"""LlamaIndex's OpenAILike classes against a server of hfms."""

import os
from typing import Literal

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field

llm = OpenAILike(
    model=os.environ["HFMS_CHAT_MODEL"],
    api_base=os.environ["HFMS_BASE_URL"],
    api_key="none",
    context_window=4096,
    is_chat_model=True,
    is_function_calling_model=True,
    should_use_structured_outputs=True,
    temperature=0,
)
MESSAGES = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="The river runs")]


class Mood(BaseModel):
    """How somebody feels."""

    mood: Literal["good", "bad"]
    count: int = Field(ge=0, le=9)


def test_chat():
    answer = llm.chat(MESSAGES, max_tokens=8)
    assert answer.message.role == "assistant"
    assert answer.raw.usage.completion_tokens <= 8
    assert llm.complete("The river runs", max_tokens=8).text


def test_stream():
    whole = llm.chat(MESSAGES, max_tokens=8).message.content
    pieces = [piece.delta or "" for piece in llm.stream_chat(MESSAGES, max_tokens=8)]
    assert "".join(pieces) == whole
    assert len(pieces) > 1


def test_tools():
    def add(a: Literal[1, 2], b: Literal[3]) -> int:
        """Adds two numbers."""
        return a + b

    tool = FunctionTool.from_defaults(fn=add)
    asked = {"user_msg": "1 + 3", "tool_required": True, "allow_parallel_tool_calls": False}
    answer = llm.chat_with_tools([tool], **asked)
    [call] = llm.get_tool_calls_from_response(answer)
    assert call.tool_name == "add"
    assert tool(**call.tool_kwargs).raw_output in (4, 5)
    *_, last = llm.stream_chat_with_tools([tool], **asked)
    assert llm.get_tool_calls_from_response(last)[0].tool_kwargs == call.tool_kwargs


def test_schema():
    answer = llm.as_structured_llm(Mood).chat(MESSAGES)
    assert isinstance(answer.raw, Mood)


def test_embeddings():
    embedding = OpenAILikeEmbedding(
        model_name=os.environ["HFMS_EMBED_MODEL"], api_base=os.environ["HFMS_BASE_URL"], api_key="none"
    )
    one, other = embedding.get_text_embedding_batch(["a cat", "a dog"])
    assert len(one) == len(other) > 0
    assert one != other
    assert len(embedding.get_query_embedding("a cat")) == len(one)
