"""What models were asked and what it cost, in numbers, for operators."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import ModelCall
from app.core.clock import first_id_at, utc_now

DAY: Final = timedelta(days=1)
HOURS: Final = 24


@dataclass(slots=True)
class ModelUse:
    """What one model was asked within a day; `by_hour` are its requests, the present hour last."""

    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    credits: int
    by_hour: list[int]


async def model_use(session: AsyncSession) -> list[ModelUse]:
    """The models of the last day, the dearest first; for the system."""
    ago = cast(func.floor(func.extract("epoch", func.now() - ModelCall.created_at) / 3600), Integer)
    sums = (
        func.count().label("requests"),
        func.sum(ModelCall.prompt_tokens).label("prompt"),
        func.sum(ModelCall.completion_tokens).label("completion"),
        func.sum(ModelCall.credits).label("credits"),
    )
    since = ModelCall.id >= first_id_at(utc_now() - DAY)
    statement = select(ModelCall.model, ago.label("ago"), *sums).where(since)
    found: dict[str, ModelUse] = {}
    for row in await session.execute(statement.group_by(ModelCall.model, "ago")):
        use = found.setdefault(row.model, ModelUse(row.model, 0, 0, 0, 0, [0] * HOURS))
        use.requests += row.requests
        use.prompt_tokens += int(row.prompt)
        use.completion_tokens += int(row.completion)
        use.credits += int(row.credits)
        use.by_hour[HOURS - 1 - min(max(row.ago, 0), HOURS - 1)] += row.requests
    return sorted(found.values(), key=lambda use: (-use.credits, -use.requests, use.model))
