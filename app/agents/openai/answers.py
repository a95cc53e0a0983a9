"""Answers of `app.rag` as chat completions."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from app.agents.openai.errors import NoQuestion
from app.agents.openai.schemas import Annotation, ChatRead, ChatRequest, Choice, Reply, Tokens, UrlCitation
from app.core.clock import new_id
from app.rag.paying import Bill
from app.rag.schemas import AnswerRead

LONGEST_QUESTION = 2_000


def question_of(data: ChatRequest) -> str:
    """The last message, which must be the user's. Raises `NoQuestion`."""
    last = data.messages[-1]
    text = last.content if isinstance(last.content, str) else "\n".join(part.text for part in last.content)
    question = text.strip()
    if last.role != "user" or not 1 <= len(question) <= LONGEST_QUESTION:
        raise NoQuestion
    return question


def annotations(answer: AnswerRead) -> list[Annotation]:
    """Each citation at its first marker in the text, or at the end if it has none."""
    found = []
    for number, citation in enumerate(answer.citations, 1):
        marker = f"[{number}]"
        start = answer.answer.find(marker)
        start, end = (start, start + len(marker)) if start >= 0 else (len(answer.answer), len(answer.answer))
        url = f"lifevault://documents/{citation.document_id}/pages/{citation.page}"
        place = UrlCitation(start_index=start, end_index=end, title=citation.title, url=url)
        found.append(Annotation(type="url_citation", url_citation=place))
    return found


def completion(answer: AnswerRead, model: str) -> ChatRead:
    """The whole answer."""
    reply = Reply(role="assistant", content=answer.answer, refusal=None, annotations=annotations(answer))
    return ChatRead(
        id=f"chatcmpl-{new_id().hex}",
        object="chat.completion",
        created=int(time.time()),
        model=model,
        choices=[Choice(index=0, message=reply, logprobs=None, finish_reason="stop")],
        usage=_tokens(answer),
    )


def _tokens(answer: AnswerRead) -> Tokens:
    used = answer.usage
    total = used.prompt_tokens + used.completion_tokens
    return Tokens(prompt_tokens=used.prompt_tokens, completion_tokens=used.completion_tokens, total_tokens=total)


async def chunks(
    parts: AsyncGenerator[str | AnswerRead, None], model: str, bill: Bill, *, usage: bool
) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent chunks; the one that ends it carries the annotations."""
    head = {"id": f"chatcmpl-{new_id().hex}", "object": "chat.completion.chunk", "created": int(time.time())}
    head["model"] = model
    yield _line(head, [_delta({"role": "assistant", "content": ""})])
    async with bill.paid_at_the_end() as sent, aclosing(parts) as coming:
        async for part in coming:
            sent.append(part)
            if isinstance(part, str):
                yield _line(head, [_delta({"content": part})])
                continue
            cited = [each.model_dump() for each in annotations(part)]
            yield _line(head, [_delta({"annotations": cited}, "stop")])
            if usage:
                yield _line({**head, "usage": _tokens(part).model_dump()}, [])
    yield b"data: [DONE]\n\n"


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _line(head: dict[str, Any], choices: Sequence[dict[str, Any]]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps({**head, "choices": choices})
