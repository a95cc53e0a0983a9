"""Tables of legacy: people, plans, release cases, drills, keys.

A row shows ids, kinds, states, times and numbers; names, addresses, messages and words of sheets are sealed in `body`.
"""

from typing import cast

from sqlalchemy import Table

from app.nominees.models.cases import Attestation, CaseEvent, CaseRow, Proof, Read, Release
from app.nominees.models.drills import Drill, DrillPerson
from app.nominees.models.people import Code, Link, Nominee, NomineeSession
from app.nominees.models.plans import GiftRow, LegacyKey, MessageRow, Plan

nominees = cast(Table, Nominee.__table__)
links = cast(Table, Link.__table__)
codes = cast(Table, Code.__table__)
sessions = cast(Table, NomineeSession.__table__)
plans = cast(Table, Plan.__table__)
gifts = cast(Table, GiftRow.__table__)
messages = cast(Table, MessageRow.__table__)
legacy_keys = cast(Table, LegacyKey.__table__)
cases = cast(Table, CaseRow.__table__)
case_events = cast(Table, CaseEvent.__table__)
attestations = cast(Table, Attestation.__table__)
proofs = cast(Table, Proof.__table__)
releases = cast(Table, Release.__table__)
reads = cast(Table, Read.__table__)
drills = cast(Table, Drill.__table__)
drill_people = cast(Table, DrillPerson.__table__)

__all__ = [
    "attestations",
    "case_events",
    "cases",
    "codes",
    "drill_people",
    "drills",
    "gifts",
    "legacy_keys",
    "links",
    "messages",
    "nominees",
    "plans",
    "proofs",
    "reads",
    "releases",
    "sessions",
]
