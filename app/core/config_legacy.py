"""What nominees and release cases are held to: a part of the settings (see `app.core.config`)."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.core.config_units import KIB, MIB


class LegacySettings(BaseSettings):
    """What nominees and release cases are held to."""

    nominees_per_user: int = Field(default=50, ge=1, description="Nominees and trusted people one person may name.")
    legacy_plans_per_user: int = Field(default=20, ge=1, description="Legacy plans one person may make.")
    nominee_invitation_seconds: int = Field(
        default=30 * 86_400, ge=3_600, description="Life of an invitation to be a nominee."
    )
    nominee_link_seconds: int = Field(
        default=30 * 86_400, ge=3_600, description="Life of a link by which a nominee signs in, together with a code."
    )
    nominee_code_seconds: int = Field(
        default=600, ge=60, le=3_600, description="Life of a code that is mailed to a nominee."
    )
    nominee_session_seconds: int = Field(
        default=8 * 3_600, ge=300, le=7 * 86_400, description="How long a nominee stays signed in."
    )
    nominee_stale_days: int = Field(
        default=365, ge=1, description="Days after which a nominee's address should be proved again, by a drill."
    )
    max_proof_bytes: int = Field(default=20 * MIB, ge=KIB, description="Largest proof in a release case.")
    proofs_per_case: int = Field(default=20, ge=1, description="Proofs one release case may have.")
    drill_step_days: int = Field(default=3, ge=1, le=30, description="Days that people have to answer in a drill.")
