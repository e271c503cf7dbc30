"""OpenAI's own Python client against a server of hfms: what the Node client's tests are, once more."""

import json
import os
import time
import urllib.request
from typing import Literal

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, Field

BASE_URL = os.environ["HFMS_BASE_URL"]
CHAT = os.environ["HFMS_CHAT_MODEL"]
EMBED = os.environ["HFMS_EMBED_MODEL"]

client = OpenAI(base_url=BASE_URL, api_key="none", max_retries=0)
# Asks for a key, and waits for no model: it sends everybody away until one is loaded.
guarded = OpenAI(base_url=os.environ["HFMS_GUARDED_BASE_URL"], api_key=os.environ["HFMS_KEY"], max_retries=0)

MESSAGES = [{"role": "user", "content": "The river runs"}]
ASKED = {"model": CHAT, "messages": MESSAGES, "max_completion_tokens": 6, "temperature": 0}
ENDLESS = {**ASKED, "max_completion_tokens": 2000, "n": 4, "extra_body": {"ignore_eos": True}}


class Mood(BaseModel):
    mood: Literal["good", "bad"]
    count: int = Field(ge=0, le=9)


class Add(BaseModel):
    a: Literal[1, 2]
    b: Literal[3]


ADD = openai.pydantic_function_tool(Add, name="add")
ADD_IT = {"type": "function", "function": {"name": "add"}}
UNBOUND = {**ASKED, "max_completion_tokens": None}


def test_chat():
    answer = client.chat.completions.create(**ASKED)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 6
    assert answer._request_id.startswith("req_")


def test_chat_in_pieces():
    whole = client.chat.completions.create(**ASKED)
    stream = client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == 6


def test_the_stream_helper():
    # It raises where an answer was cut: this one ends by itself.
    choices = {"guided_choice": ["north", "south"]}
    with client.chat.completions.stream(**UNBOUND, logprobs=True, top_logprobs=2, extra_body=choices) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert answer.choices[0].message.content in choices["guided_choice"]
    assert len(answer.choices[0].logprobs.content[0].top_logprobs) == 2


def test_several_answers_of_a_seed_and_a_stop():
    drawn = {**ASKED, "n": 2, "seed": 7, "temperature": 1}
    one, again = (client.chat.completions.create(**drawn) for _ in range(2))
    assert [c.message.content for c in one.choices] == [c.message.content for c in again.choices]
    text = client.chat.completions.create(**ASKED).choices[0].message.content
    stopped = client.chat.completions.create(**ASKED, stop=text[1:3]).choices[0]
    assert stopped.finish_reason == "stop"
    assert text.startswith(stopped.message.content)


def test_tools_and_their_results():
    choice = client.chat.completions.parse(**UNBOUND, tools=[ADD], tool_choice=ADD_IT).choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert call.function.parsed_arguments.b == 3
    result = {"role": "tool", "tool_call_id": call.id, "content": "4"}
    said = choice.message.model_dump(include={"role", "content", "tool_calls"})
    answer = client.chat.completions.create(**{**ASKED, "messages": [*MESSAGES, said, result]})
    assert isinstance(answer.choices[0].message.content, str)


def test_tools_in_pieces():
    with client.chat.completions.stream(**UNBOUND, tools=[ADD], tool_choice="required",
                                        parallel_tool_calls=False) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    assert answer.choices[0].message.tool_calls[0].function.parsed_arguments.b == 3


def test_a_schema_is_kept_to_and_parsed():
    asked = {**ASKED, "max_completion_tokens": 200, "response_format": Mood}
    whole = client.chat.completions.parse(**asked).choices[0].message.parsed
    assert isinstance(whole, Mood)
    with client.chat.completions.stream(**asked) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == whole
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(**{**asked, "max_completion_tokens": 1})


def test_completions():
    asked = {"model": CHAT, "prompt": ["The river", "A mountain"], "max_tokens": 5, "temperature": 0}
    whole = [choice.text for choice in client.completions.create(**asked).choices]
    pieces = ["", ""]
    for chunk in client.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            pieces[choice.index] += choice.text
    assert pieces == whole


def test_embeddings_packed_and_plain():
    asked = {"model": EMBED, "input": ["a cat", "a dog"]}
    packed = client.embeddings.create(**asked)
    plain = client.embeddings.create(**asked, encoding_format="float")
    assert [one.index for one in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)


def test_models():
    assert CHAT in [one.id for one in client.models.list()] or "/" not in CHAT
    one = client.models.retrieve(CHAT)
    assert one.object == "model" and one.id
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("golden/none")
    assert caught.value.code == "model_not_found"


RESPONSE = {"model": CHAT, "input": "The river runs", "max_output_tokens": 16, "temperature": 0}


def test_responses():
    whole = client.responses.create(**RESPONSE)
    assert whole.object == "response" and whole.usage.output_tokens == 16
    deltas = [event.delta for event in client.responses.create(**RESPONSE, stream=True)
              if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text


def test_responses_with_a_schema_and_a_tool():
    asked = {**RESPONSE, "max_output_tokens": 200, "text_format": Mood}
    whole = client.responses.parse(**asked).output_parsed
    assert isinstance(whole, Mood)
    with client.responses.stream(**asked) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == whole
    tool = {"type": "function", "name": "add", "strict": True, "parameters": ADD["function"]["parameters"]}
    called = client.responses.create(model=CHAT, input="1 + 3", tools=[tool], tool_choice="required",
                                     parallel_tool_calls=False, temperature=0)
    assert json.loads(called.output[0].arguments)["b"] == 3


ERRORS = [
    ("a wrong value", openai.BadRequestError, {"param": "temperature"},
     lambda: client.chat.completions.create(**{**ASKED, "temperature": 3})),
    ("a field that is not supported", openai.BadRequestError, {"param": "store"},
     lambda: client.chat.completions.create(**ASKED, store=True)),
    ("too long a text", openai.BadRequestError, {"param": "messages", "code": "context_length_exceeded"},
     lambda: client.chat.completions.create(**{**ASKED, "messages": [{"role": "user", "content": "word " * 20000}]})),
    ("another task", openai.BadRequestError, {"param": "model", "code": "unsupported_task"},
     lambda: client.embeddings.create(model=CHAT, input="a")),
    ("a wrong key", openai.AuthenticationError, {"code": "invalid_api_key"},
     lambda: guarded.with_options(api_key="wrong").models.list()),
    ("a key that may not", openai.PermissionDeniedError, {"code": "permission_denied"},
     lambda: guarded.models.delete(CHAT)),
    ("no such model", openai.NotFoundError, {"param": "model", "code": "model_not_found"},
     lambda: client.chat.completions.create(**{**ASKED, "model": "no-such-model"})),
    ("no such address", openai.NotFoundError, {"code": "unknown_url"},
     lambda: client.images.generate(prompt="a", model="b")),
    ("a model that is not here", openai.InternalServerError, {"code": "offline"},
     lambda: client.chat.completions.create(**{**ASKED, "model": "nobody/nothing"})),
]


@pytest.mark.parametrize("kind, shape, ask", [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_errors_have_the_classes_of_the_client(kind, shape, ask):
    with pytest.raises(openai.APIStatusError) as caught:
        ask()
    assert type(caught.value) is kind
    assert {name: getattr(caught.value, name) for name in shape} == shape
    assert caught.value.request_id.startswith("req_")


def test_it_comes_back_when_a_loading_model_should_be_there():
    with pytest.raises(openai.InternalServerError) as caught:
        guarded.chat.completions.create(**ASKED)
    assert caught.value.code == "model_loading"
    wait = int(caught.value.response.headers["retry-after-ms"])
    assert int(caught.value.response.headers["retry-after"]) == -(-wait // 1000)
    # Another model, from its first request on.
    began = time.monotonic()
    patient = guarded.with_options(max_retries=10)
    raw = patient.embeddings.with_raw_response.create(model=EMBED, input="a")
    assert raw.retries_taken > 0
    assert time.monotonic() - began >= 0.25 * raw.retries_taken
    assert len(raw.parse().data) == 1


def test_it_does_not_try_again_what_would_fail_again():
    began = time.monotonic()
    with pytest.raises(openai.InternalServerError) as caught:
        client.with_options(max_retries=5).chat.completions.create(**{**ASKED, "model": "nobody/nothing"})
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert time.monotonic() - began < 5


def requests():
    with urllib.request.urlopen(BASE_URL.removesuffix("/v1") + "/status") as response:
        return json.load(response)["requests"]


def until_nothing_is_answered():
    # This question counts itself.
    for _ in range(200):
        seen = requests()
        if len(seen["active"]) == 1:
            return seen["totals"]
        time.sleep(0.05)
    raise AssertionError("it goes on")


def leave_the_loop():
    with client.chat.completions.create(**ENDLESS, stream=True) as stream:
        for _ in stream:
            break


def leave_the_helper():
    with client.chat.completions.stream(**ENDLESS) as stream:
        for _ in stream:
            break


def run_out_of_time():
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(**ENDLESS)


def cancel_the_task():
    import asyncio

    async def ask():
        async with AsyncOpenAI(base_url=BASE_URL, api_key="none", max_retries=0) as one:
            answer = asyncio.create_task(one.chat.completions.create(**ENDLESS))
            await asyncio.sleep(0.3)
            answer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answer

    asyncio.run(ask())


@pytest.mark.parametrize("leave", [leave_the_loop, leave_the_helper, run_out_of_time, cancel_the_task])
def test_leaving_ends_the_work(leave):
    before = until_nothing_is_answered()
    leave()
    after = until_nothing_is_answered()
    assert after["cancelled"] - before["cancelled"] == 1
    assert after["failed"] == before["failed"]
    assert after["completion_tokens"] - before["completion_tokens"] < 4 * 2000
