"""Runs as the stream of events that clients of responses expect; the same run gives the same events again.

Import it lazily: it brings pydantic-ai.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, Final

import orjson

from app.agents import talk
from app.agents.openai.answered import (
    calls_of,
    message_id,
    message_of,
    questions_of,
    response_of,
)
from app.agents.openai.chat import KEEP_ALIVE, QUIET_ROUNDS
from app.agents.talk import Rest
from app.auth.principal import Principal

Event = dict[str, Any]
KINDS: Final = tuple(
    f"response.{name}"
    for name in (
        *("created", "in_progress", "completed", "failed", "incomplete"),
        *("output_item.added", "output_item.done", "content_part.added", "content_part.done"),
        *("output_text.delta", "output_text.annotation.added", "output_text.done"),
        *("function_call_arguments.delta", "function_call_arguments.done"),
    )
)
LAST: Final = {"completed": "response.completed", "failed": "response.failed", "cancelled": "response.failed"}


class Told:
    """The events of one response, numbered from 0; those up to `seen` are left out."""

    def __init__(self, begun: Rest, seen: int) -> None:
        self._begun = begun
        self._seen = seen
        self._number = -1
        self._shown = False
        self._message = {"item_id": message_id(begun.run.id), "output_index": 0, "content_index": 0}

    def begin(self) -> Iterator[bytes]:
        """The response has begun."""
        response = response_of(self._begun, begun=True).model_dump(mode="json")
        yield from self._say("response.created", response=response)
        yield from self._say("response.in_progress", response=response)

    def more(self, text: str) -> Iterator[bytes]:
        """More of the answer."""
        if not self._shown:
            self._shown = True
            item = {"type": "message", "id": self._message["item_id"], "role": "assistant"}
            item |= {"status": "in_progress", "content": []}
            yield from self._say("response.output_item.added", output_index=0, item=item)
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            yield from self._say("response.content_part.added", **self._message, part=part)
        yield from self._say("response.output_text.delta", **self._message, delta=text, logprobs=[])

    def end(self, rest: Rest) -> Iterator[bytes]:
        """All that follows the text."""
        if self._shown:
            yield from self._end_message(rest)
        place = int(self._shown)
        for call in calls_of(rest):
            yield from self._call(place, call.model_dump(mode="json"))
            place += 1
        for question in questions_of(rest):
            item = question.model_dump(mode="json")
            yield from self._say("response.output_item.added", output_index=place, item=item)
            yield from self._say("response.output_item.done", output_index=place, item=item)
            place += 1
        response = response_of(rest)
        name = LAST.get(response.status, "response.incomplete")
        yield from self._say(name, response=response.model_dump(mode="json"))

    def _end_message(self, rest: Rest) -> Iterator[bytes]:
        item = message_of(rest).model_dump(mode="json")
        part = item["content"][0]
        for number, each in enumerate(part["annotations"]):
            told = {"annotation_index": number, "annotation": each}
            yield from self._say("response.output_text.annotation.added", **self._message, **told)
        yield from self._say("response.output_text.done", **self._message, text=part["text"], logprobs=[])
        yield from self._say("response.content_part.done", **self._message, part=part)
        yield from self._say("response.output_item.done", output_index=0, item=item)

    def _call(self, place: int, item: Event) -> Iterator[bytes]:
        begun = {**item, "arguments": "", "status": "in_progress"}
        where = {"item_id": item["id"], "output_index": place}
        yield from self._say("response.output_item.added", output_index=place, item=begun)
        yield from self._say("response.function_call_arguments.delta", **where, delta=item["arguments"])
        told = {"arguments": item["arguments"], "name": item["name"]}
        yield from self._say("response.function_call_arguments.done", **where, **told)
        yield from self._say("response.output_item.done", output_index=place, item=item)

    def _say(self, name: str, **data: Any) -> Iterator[bytes]:
        self._number += 1
        if self._number > self._seen:
            event = {"type": name, "sequence_number": self._number, **data}
            yield b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(event))


async def events(
    principal: Principal, begun: Rest, *, after: int = 0, seen: int = -1, leave: bool = False
) -> AsyncGenerator[bytes, None]:
    """The events of a response, after the event `seen`; `leave`: who leaves before its end ends the run.

    `after` is the event of the run after which the response begins.
    """
    told, run_id = Told(begun, seen), begun.run.id
    quiet, ended = 0, False
    try:
        for line in told.begin():
            yield line
        async with aclosing(talk.pieces(principal, run_id, after=after)) as coming:
            async for piece in coming:
                quiet = quiet + 1 if piece is None else 0
                if piece is None:
                    if quiet % QUIET_ROUNDS == 0:
                        yield KEEP_ALIVE
                    continue
                ended = isinstance(piece, Rest)
                for line in told.end(piece) if isinstance(piece, Rest) else told.more(piece):
                    yield line
        await talk.let_go(principal, run_id)
    finally:
        if leave and not ended:
            await talk.leave(principal, run_id)
