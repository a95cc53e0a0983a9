"""`/openai/v1`: the interface that clients of OpenAI speak, answered from the caller's own papers."""

from app.agents.openai.router import chat, embeddings, files, models, responses, stores
from app.api.routes import Router

router = Router(prefix="/openai/v1", tags=["openai"])
for each in (models.router, chat.router, responses.router, embeddings.router, files.router, stores.router):
    router.include_router(each)
