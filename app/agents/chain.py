"""Models asked one after the other, within a time, with breakers, and masked if the owner wants it.

Import it lazily: it brings pydantic-ai.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from openai import AsyncOpenAI
from pydantic_ai.exceptions import AgentRunError, ModelHTTPError, UserError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, infer_model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings

from app.agents.errors import ModelDown
from app.agents.extractive import ExtractiveModel
from app.agents.gateway import ENDPOINT, EXTRACTIVE
from app.agents.masking import Mask, each_text
from app.auth.parts import per_runtime
from app.core.breaker import Breaker
from app.core.config import Settings
from app.core.logging import get_log
from app.db.runtime import Runtime, when_closing

TRIES: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.5
WORTH_ANOTHER_TRY: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_breakers: Final[dict[str, Breaker]] = {}

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model and what it is called; `make` is called when it is asked."""

    name: str
    make: Callable[[], Model]

    @property
    def is_local(self) -> bool:
        """Whether it is in this process."""
        return self.name == EXTRACTIVE

    @property
    def breaker(self) -> Breaker:
        """One for each provider and process."""
        return _breakers.setdefault(self.name, Breaker("agent model"))


def candidate(settings: Settings, name: str) -> Candidate:
    """The model of this name."""
    if name == EXTRACTIVE:
        return Candidate(name, ExtractiveModel)
    if name.startswith(f"{ENDPOINT}:"):
        return Candidate(name, lambda: _endpoint(settings))
    return Candidate(name, lambda: infer_model(name))


def _endpoint(settings: Settings) -> Model:
    provider = OpenAICompatibleProvider(name=ENDPOINT, openai_client=_client())
    return OpenAIChatModel(settings.model_name, provider=provider)


@per_runtime
def _client(runtime: Runtime) -> AsyncOpenAI:
    """The client of the endpoint; it keeps its connections for as long as the runtime lives."""
    settings = runtime.settings
    key = settings.model_api_key.get_secret_value() or "none"
    seconds = settings.model_timeout_seconds
    client = AsyncOpenAI(base_url=settings.model_url, api_key=key, max_retries=0, timeout=seconds)
    when_closing(runtime, client.close)
    return client


class ChainModel(Model):
    """The first of several models that answers."""

    def __init__(self, settings: Settings, candidates: list[Candidate], *, masked: bool) -> None:
        super().__init__()
        self._app_settings = settings
        self._candidates = candidates
        self._masked = masked

    @property
    def model_name(self) -> str:
        """The name of the one that is asked first."""
        return self._candidates[0].name

    @property
    def system(self) -> str:
        """Who provides it."""
        return "lifevault"

    @property
    def provider(self) -> None:
        """Several."""
        return None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask them in turn; `model_name` of the answer says who answered. Raises `ModelDown`."""
        for each in self._candidates:
            if not each.is_local and not each.breaker.allows():
                continue
            try:
                answer = await self._ask(each, messages, model_settings, model_request_parameters)
            except (AgentRunError, UserError, TimeoutError, OSError, ImportError, ValueError) as error:
                each.breaker.failed(_asked_pause(error))
                log.warning("agent model unavailable", model=each.name, error=type(error).__name__)
                continue
            if not each.is_local:
                each.breaker.succeeded()
            return replace(_writable(answer), model_name=each.name)
        raise ModelDown

    async def _ask(
        self,
        each: Candidate,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        model = each.make()
        if each.is_local:
            return await model.request(messages, model_settings, parameters)
        mask = Mask() if self._masked else None
        sent = mask.masked(messages) if mask else messages
        deadline = time.monotonic() + self._app_settings.model_timeout_seconds
        for left in reversed(range(TRIES)):
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    answer = await model.request(list(sent), model_settings, parameters)
                return mask.unmasked(answer) if mask else answer
            except (AgentRunError, OSError) as error:
                pause = FIRST_PAUSE_SECONDS * 2 ** (TRIES - 1 - left)
                if not left or not _may_go_better(error) or time.monotonic() + pause >= deadline:
                    raise
                await asyncio.sleep(pause)
        raise ModelDown


def _writable(answer: ModelResponse) -> ModelResponse:
    """Without unpaired surrogates, which are in no text that can be kept."""
    texts = {"content", "args", "tool_name", "tool_call_id"}
    changed = []
    for part in answer.parts:
        values = {name: getattr(part, name) for name in texts if hasattr(part, name)}
        changed.append(replace(part, **each_text(values, lambda text: text.encode("utf-8", "replace").decode())))
    return replace(answer, parts=changed)


def _may_go_better(error: Exception) -> bool:
    return not isinstance(error, ModelHTTPError) or error.status_code in WORTH_ANOTHER_TRY


def _asked_pause(error: Exception) -> float | None:
    """A provider that says it is asked too often is left alone at once."""
    return 15.0 if isinstance(error, ModelHTTPError) and error.status_code == 429 else None
