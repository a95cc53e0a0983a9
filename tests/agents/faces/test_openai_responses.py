"""Responses by the official Python client, against a live server."""

from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from app.core.config import Settings
from tests.agents.core.model import Model, Says, asks
from tests.agents.core.people import RUNS, Home
from tests.agents.faces.clients import QUESTION, client_of, key_of
from tests.conftest import drain_jobs
from tests.factories import make_user

pytestmark = pytest.mark.slow

ASSISTANT = "lifevault/assistant"
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WHOLE = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.annotation.added",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def distinct(names: list[str]) -> list[str]:
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


async def test_a_response_has_citations_that_are_cut_out_of_the_file(client: httpx.AsyncClient, url: str, home: Home):
    async with client_of(url, await key_of(client, home)) as ai:
        made = await ai.responses.create(model=ASSISTANT, input=QUESTION, metadata={"from": "test"})
        again = await ai.responses.retrieve(made.id)

    Response.model_validate(made.model_dump(), strict=True)
    assert (made.status, made.metadata, again.model_dump()) == ("completed", {"from": "test"}, made.model_dump())
    text = made.output[0].content[0]
    assert "1 March 2027" in made.output_text
    for number, cited in enumerate(text.annotations, 1):
        assert cited.type == "file_citation"
        assert text.text[cited.index :].startswith(f"[{number}]")
        place = f"/v1/rag/documents/{cited.file_id}/pages/{cited.page}"
        page = (await client.get(place, headers=home.headers)).json()["text"]
        assert page[cited.start : cited.end] == cited.quote
    assert text.annotations


async def test_the_events_come_in_the_order_that_the_client_expects(url: str, home: Home):
    async with client_of(url, home.owner.access_token) as ai:
        stream = await ai.responses.create(model=ASSISTANT, input=QUESTION, stream=True)
        events = [EVENT.validate_python(event.model_dump()) async for event in stream]
        async with ai.responses.stream(model=ASSISTANT, input=QUESTION) as helped:
            final = await helped.get_final_response()
        first = events[-1].response
        missed = [event async for event in await ai.responses.retrieve(first.id, stream=True, starting_after=3)]

    assert distinct([event.type for event in events]) == WHOLE
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type.endswith(".delta")) == first.output_text
    assert final.output_text == first.output_text
    assert [event.model_dump() for event in missed] == [event.model_dump() for event in events[4:]]


async def test_one_response_follows_another_and_functions_are_handed_over(url: str, home: Home, model: Model):
    model.says(Says(calls=(("weather", {"town": "Lund"}), ("list_vaults", {}))))
    async with client_of(url, home.owner.access_token) as ai:
        first = await ai.responses.create(model=ASSISTANT, input="How is the weather?", tools=[WEATHER])
        (call,) = first.output
        assert (call.type, call.name, call.arguments) == ("function_call", "weather", '{"town":"Lund"}')
        model.says("It rains.")
        result: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}]
        second = await ai.responses.create(
            model=ASSISTANT, input=result, previous_response_id=first.id, tools=[WEATHER], instructions="Be brief."
        )
        model.says("I said that it rains.")
        third = await ai.responses.create(model=ASSISTANT, input="What did you say?", previous_response_id=second.id)
        by_conversation = await ai.responses.create(
            model=ASSISTANT, input="And now?", conversation=third.conversation.id
        )

    assert (second.output_text, second.previous_response_id) == ("It rains.", first.id)
    assert first.conversation == second.conversation == third.conversation == by_conversation.conversation
    roles = [[each["role"] for each in request["messages"]][1:] for request in model.requests]
    assert roles[1] == ["user", "assistant", "tool", "tool"]
    assert roles[2] == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert "It rains." in model.prompt
    assert "Be brief." not in model.requests[2]["messages"][0]["content"]


async def test_what_needs_leave_waits_for_the_person_and_not_for_a_key(
    client: httpx.AsyncClient, url: str, home: Home, model: Model
):
    arguments = {"vault_id": str(home.vault.id), "type": "passport", "title": "Passport of Ada"}
    model.says(asks("create_item", arguments), "It is done.")
    key = await key_of(client, home)
    async with client_of(url, key) as robot, client_of(url, home.owner.access_token) as person:
        stream = await robot.responses.create(model=ASSISTANT, input="Note it", stream=True)
        events = [EVENT.validate_python(event.model_dump()) async for event in stream]
        asking = events[-1].response
        (question,) = [item for item in asking.output if item.type == "mcp_approval_request"]
        answer: Any = [
            {"type": "mcp_approval_response", "approval_request_id": question.id, "approve": True},
        ]
        with pytest.raises(openai.PermissionDeniedError):
            await robot.responses.create(model=ASSISTANT, input=answer, previous_response_id=asking.id)
        other: Any = [{**answer[0], "approval_request_id": "01a1fbe8-3eef-7d27-809c-9cfaba724faa"}]
        with pytest.raises(openai.NotFoundError):
            await person.responses.create(model=ASSISTANT, input=other, previous_response_id=asking.id)
        done = await person.responses.create(model=ASSISTANT, input=answer, previous_response_id=asking.id)
        with pytest.raises(openai.ConflictError):
            await person.responses.create(model=ASSISTANT, input=answer, previous_response_id=asking.id)

    assert (done.output_text, done.status) == ("It is done.", "completed")
    items = (await client.get("/v1/vault/items", headers=home.headers)).json()["items"]
    assert [item["title"] for item in items] == ["Passport of Ada"]


async def test_background_cancelled_unkept_and_deleted_responses(
    client: httpx.AsyncClient, settings: Settings, url: str, home: Home, model: Model
):
    async with client_of(url, home.owner.access_token) as ai:
        queued = await ai.responses.create(model=ASSISTANT, input=QUESTION, background=True)
        assert (queued.status, queued.output) == ("queued", [])
        cancelled = await ai.responses.cancel(queued.id)
        model.says("Nothing.")
        unkept = await ai.responses.create(model=ASSISTANT, input=QUESTION, store=False)
        later = await ai.responses.create(model=ASSISTANT, input=QUESTION, background=True)
        await drain_jobs(settings)
        done = await ai.responses.retrieve(later.id)
        await ai.responses.delete(later.id)
        for gone in (unkept.id, later.id, "resp_" + "0" * 32):
            with pytest.raises(openai.NotFoundError) as error:
                await ai.responses.retrieve(gone)
        assert error.value.code == "response_not_found"

    assert (cancelled.status, done.output_text) == ("cancelled", "Nothing.")
    kept = (await client.get(RUNS, headers=home.headers)).json()["items"]
    assert [run["state"] for run in kept] == ["cancelled"]


async def test_a_failed_response_says_so_and_a_stranger_finds_none(url: str, home: Home, model: Model):
    model.says(Says(status=500))
    async with client_of(url, home.owner.access_token) as ai:
        failed = await ai.responses.create(model=ASSISTANT, input=QUESTION)
        assert (failed.status, failed.error.code) == ("failed", "server_error")
        stream = await ai.responses.create(model=ASSISTANT, input=QUESTION, stream=True)
        assert [event.type async for event in stream][-1] == "response.failed"
    async with client_of(url, (await make_user()).access_token) as stranger:
        for act in (stranger.responses.retrieve, stranger.responses.cancel, stranger.responses.delete):
            with pytest.raises(openai.NotFoundError):
                await act(failed.id)
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.create(model=ASSISTANT, input="x", previous_response_id=failed.id)
