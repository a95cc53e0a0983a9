"""Routes of chat front ends: Vercel's AI SDK and AG-UI."""

from uuid import UUID

from starlette.responses import Response, StreamingResponse

from app.agents import talk
from app.agents.errors import (
    AgentNotFound,
    ApprovalDecided,
    ApprovalNotFound,
    ApprovalRefused,
    ApproverNeeded,
    InvalidHistory,
    RunBusy,
    RunOver,
    TooMany,
)
from app.agents.fronts import threads
from app.agents.fronts.schemas import AgUiRequest, VercelRequest
from app.agents.router.access import Runner
from app.api.deps import SessionDep
from app.api.openapi import event_stream
from app.api.problems import problems
from app.api.routes import Router

router = Router(prefix="/agents")
STREAM = event_stream(message={"type": "object"})
BEGINNING = (AgentNotFound, InvalidHistory, RunBusy, TooMany)
DECIDING = (ApprovalDecided, ApprovalNotFound, ApproverNeeded, RunOver)
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.post(
    "/{agent_id:uuid}/vercel",
    response_class=StreamingResponse,
    responses={200: {"content": STREAM}, **problems(*BEGINNING, *DECIDING)},
)
async def chat_with_vercel(agent_id: UUID, data: VercelRequest, principal: Runner, session: SessionDep) -> Response:
    """Talk to an agent from `useChat` of Vercel's AI SDK (version 5 or later), which posts to this address.

    The conversation is kept here under the `id` of the chat. Of the messages only the last one is read: your words, or
    your answers to what the agent asked approval for, which count once, for exactly what was asked, and only with your
    own sign-in. Citations come as the part `data-citations`. What you asked for goes on if the connection breaks; its
    answer then stands in the conversation, and `POST /v1/agents/runs/{run_id}/cancel` ends it.
    """
    await talk.prepared()
    from app.agents.fronts import streams  # noqa: PLC0415  brings pydantic-ai

    run = await threads.by_vercel(session, principal, agent_id, data)
    stream = streams.vercel()
    headers = {**HEADERS, **(stream.response_headers or {})}
    return StreamingResponse(streams.told(stream, principal, run), media_type="text/event-stream", headers=headers)


@router.post(
    "/{agent_id:uuid}/ag-ui",
    response_class=StreamingResponse,
    responses={200: {"content": STREAM}, **problems(*BEGINNING, *DECIDING, ApprovalRefused)},
)
async def chat_with_ag_ui(agent_id: UUID, data: AgUiRequest, principal: Runner, session: SessionDep) -> Response:
    """Talk to an agent from a front end that speaks AG-UI, such as CopilotKit.

    The conversation is kept here under the `threadId`. Of the messages only what follows the last answer is read: your
    words, or results of `tools` of the front end. What needs your approval is an interrupt; its `resume` counts once,
    for exactly what was asked, and only with your own sign-in. A run goes on if the connection breaks.
    """
    await talk.prepared()
    from app.agents.fronts import streams  # noqa: PLC0415  brings pydantic-ai

    run = await threads.by_ag_ui(session, principal, agent_id, data)
    sent = streams.told(streams.ag_ui(data), principal, run)
    return StreamingResponse(sent, media_type="text/event-stream", headers=HEADERS)
