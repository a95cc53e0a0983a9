"""How lots of credits stand after time passed or money went back: pure arithmetic, the same whatever came first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot as it stands: granted = remaining + used + repaid + expired + taken_back."""

    id: UUID
    granted: int
    remaining: int
    used: int
    repaid: int
    expired: int
    taken_back: int
    withdrawn: int
    expires_at: datetime | None

    @property
    def overused(self) -> int:
        """What was used of credits whose money went back."""
        return max(0, self.used - (self.granted - self.withdrawn))

    @property
    def usable(self) -> int:
        """What was neither used nor ended, and whose money is here."""
        return max(0, self.granted - self.withdrawn - self.used - self.expired)

    def is_over(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Standing:
    """The lots of a family, in the order of their use, and what follows for its account."""

    lots: Sequence[Lot]
    available: int
    debt: int
    is_waiting: bool
    """Whether something is held that must go as soon as it is not."""

    def next_end(self) -> datetime | None:
        """When the first of what remains ends."""
        return min((lot.expires_at for lot in self.lots if lot.remaining and lot.expires_at), default=None)


def withdrawn_of(granted: int, back_cents: int, received_cents: int) -> int:
    """How many of the granted credits the money stands for that went back, rounded to the nearest; all for all."""
    back = min(max(back_cents, 0), received_cents)
    return (2 * granted * back + received_cents) // (2 * received_cents) if received_cents else 0


def stand(lots: Sequence[Lot], held: int, now: datetime) -> Standing:
    """Take back, repay and end what must be, as far as nothing holds it.

    What was used of withdrawn credits is repaid from other lots, or owed. What comes back (a dispute that was won) is
    usable again, and so is what it had cost other lots. `lots` are in the order of their use.
    """
    if sum(lot.remaining for lot in lots) < held:
        raise ValueError("more is held than remains")
    after = [_ended(lot, now) for lot in _repaid([_taken_back(lot) for lot in lots], lots, now)]
    kept, pending = _kept_for(held, list(lots), after)
    owed = sum(lot.overused for lot in kept) - sum(lot.repaid for lot in kept) + pending
    left = sum(lot.remaining for lot in kept)
    return Standing(kept, left - held, owed, is_waiting=kept != after)


def _taken_back(lot: Lot) -> Lot:
    gone = lot.granted - lot.used - lot.expired - lot.usable
    return replace(lot, remaining=lot.usable, repaid=0, taken_back=gone)


def _repaid(lots: Sequence[Lot], before: Sequence[Lot], now: datetime) -> list[Lot]:
    """Repay what is overused: what was repaid before stays so, the rest comes from lots that have not ended."""
    needed = sum(lot.overused for lot in lots)
    stays = []
    for lot, old in zip(lots, before, strict=True):
        stays.append(min(old.repaid, lot.remaining, needed))
        needed -= stays[-1]
    after = []
    for lot, stay in zip(lots, stays, strict=True):
        more = 0 if lot.is_over(now) else min(lot.remaining - stay, needed)
        needed -= more
        after.append(replace(lot, remaining=lot.remaining - stay - more, repaid=stay + more))
    return after


def _ended(lot: Lot, now: datetime) -> Lot:
    return replace(lot, remaining=0, expired=lot.expired + lot.remaining) if lot.is_over(now) else lot


def _kept_for(held: int, before: Sequence[Lot], after: list[Lot]) -> tuple[list[Lot], int]:
    """Leave what is held: what would end first, then what would repay, then what would be taken back (counted)."""
    pending = 0
    for name in ("expired", "repaid", "taken_back"):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            missing = held - sum(lot.remaining for lot in after)
            back = min(missing, getattr(new, name) - getattr(old, name))
            if back > 0:
                changed = {name: getattr(new, name) - back, "remaining": new.remaining + back}
                after = [*after[:index], replace(new, **changed), *after[index + 1 :]]
                pending += back if name == "taken_back" else 0
    return after, pending
