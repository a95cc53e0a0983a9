"""How far a provider's clock is from ours; only the simulator's is ever moved."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class ProviderClock(Base):
    """The provider's time less the database's, as last heard."""

    __tablename__ = "payments_clocks"

    provider: Mapped[str] = mapped_column(primary_key=True)
    ahead: Mapped[timedelta]
    heard_at: Mapped[datetime]
