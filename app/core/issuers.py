"""The setting that names a foreign issuer of tokens."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ForeignIssuer(BaseModel):
    """Whose JWTs are accepted besides ours, e.g. Supabase, Auth0, or any provider of OpenID Connect."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(min_length=1, description="`iss`, to the letter.")
    jwks_url: str = Field(pattern=r"^https?://", description="Where its keys are.")
    audience: str = Field(min_length=1, description="`aud`.")
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = Field(default=("RS256",), min_length=1)
    scope: str = Field(default="", description="Scopes of its tokens, separated by spaces; all if empty.")
    create_accounts: bool = Field(default=False, description="Whether somebody unknown gets an account.")
