"""Reading documents, answering, and agents: a part of the settings (see `app.core.config`)."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from app.core.config_units import MIB, CommaSeparated


class AssistantSettings(BaseSettings):
    """Reading documents, answering, and agents."""

    ingest_max_pages: int = Field(default=2_000, ge=1, description="Most pages read from one document.")
    ingest_max_seconds: int = Field(default=240, ge=1, description="Longest time for reading one document.")
    ingest_max_memory_bytes: int = Field(
        default=2_048 * MIB, ge=256 * MIB, description="Memory of the reading process."
    )
    ingest_max_chars: int = Field(default=10_000_000, ge=1_000, description="Most characters kept of one document.")
    ocr_max_pages: int = Field(default=50, ge=0, description="Most pages of one document read by OCR.")
    ocr_languages: str = Field(default="eng", description="Languages of tesseract, joined by +.")
    embedder: Literal["builtin", "http", "none"] = Field(
        default="builtin", description="builtin: MiniLM in this process; http: an OpenAI-compatible endpoint."
    )
    embedder_url: str = Field(default="", description="Base URL of the embeddings endpoint, e.g. https://host/v1.")
    embedder_api_key: SecretStr = Field(default=SecretStr(""), description="Its key.")
    embedder_model: str = Field(default="", description="Its model.")
    embedder_dimensions: int = Field(default=384, ge=8, le=4_096, description="Length of its vectors.")
    embedder_threads: int = Field(default=1, ge=1, description="Threads of the built-in embedder.")
    shard_cache_bytes: int = Field(default=256 * MIB, ge=MIB, description="Opened index shards kept in memory.")
    shard_reserve_bytes: int = Field(
        default=64 * MIB, ge=0, description="Memory that opened shards use again and again."
    )
    vector_index: Literal["sealed", "pgvector"] = Field(
        default="sealed",
        description="pgvector: owners may have PostgreSQL compare the vectors of a vault, in clear; needs pgvector.",
    )
    model_url: str = Field(default="", description="Base URL of an OpenAI-compatible chat endpoint; none if empty.")
    model_api_key: SecretStr = Field(default=SecretStr(""), description="Its key.")
    model_name: str = Field(default="", description="Its model; with a base URL the model writes the answers.")
    model_timeout_seconds: float = Field(default=60, gt=0, description="Longest wait for the model.")
    agent_models: CommaSeparated = Field(
        default=(), description="Models that agents may use besides, as provider:name, in the order in which to try."
    )
    agent_falls_back: bool = Field(
        default=True, description="Whether the built-in model answers agents when no other model does."
    )
    agent_max_steps: int = Field(default=16, ge=1, le=200, description="Requests to a model in one run at most.")
    agent_max_tokens: int = Field(default=400_000, ge=1_000, description="Tokens of one run at most.")
    agent_max_seconds: int = Field(default=300, ge=1, description="Longest time of one run without its waiting.")
    agent_calls_per_step: int = Field(default=16, ge=1, le=200, description="Tools that a model may use at once.")
    agent_answer_tokens: int = Field(default=2_000, ge=16, description="Tokens that a model may write at once.")
    agent_runs_at_once: int = Field(default=10, ge=1, description="Runs of one person that go on at the same time.")
    agent_questions_at_once: int = Field(
        default=50, ge=1, description="Questions of programs that wait for a person's approval at the same time."
    )
    mcp_hosts: CommaSeparated = Field(
        default=(), description="Hosts besides the public URL's under which /mcp answers; host:* is any port."
    )
    agents_per_user: int = Field(default=100, ge=1, description="Agents one person may make.")
    agent_schedules_per_user: int = Field(default=50, ge=1, description="Schedules one person may make.")
    memories_per_user: int = Field(default=200, ge=1, description="Facts that a person's agents remember.")
    approval_seconds: int = Field(
        default=3 * 86_400, ge=60, le=90 * 86_400, description="How long a person can answer an agent's question."
    )
    answer_hosts: CommaSeparated = Field(
        default=(), description="Hosts (host or host:port) besides the public URL's that links in answers may lead to."
    )
