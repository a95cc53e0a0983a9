"""What the people one leaves behind will ask for, and whether it is prepared."""

from typing import Final, NamedTuple

from app.agents.checks.gathering import Papers
from app.agents.checks.schemas import LegacyArea


class _Area(NamedTuple):
    """An area: the types of its records, what will be asked, and what to do if there is none."""

    name: str
    types: tuple[str, ...]
    question: str
    step: str


_AREAS: Final = (
    _Area(
        "people",
        ("contact",),
        "Whom should somebody call first?",
        "Add the people who should be told first, with telephone numbers.",
    ),
    _Area(
        "power_of_attorney",
        ("power_of_attorney",),
        "Who may act if you can't decide yourself?",
        "Record who may act for you, and where the original is.",
    ),
    _Area(
        "living_will",
        ("living_will",),
        "Which treatment do you want, and which not?",
        "Write down your wishes for treatment, and who speaks for you.",
    ),
    _Area(
        "will",
        ("will", "trust"),
        "Is there a will, and where is the original?",
        "Record your will: when you signed it, where the original is, and who the executor is.",
    ),
    _Area(
        "funeral",
        ("funeral_wish",),
        "What kind of funeral do you want?",
        "Write down your wishes for the funeral, so that nobody has to guess.",
    ),
    _Area(
        "insurance",
        ("life_insurance",),
        "Which insurance pays, and to whom?",
        "Record life insurances with their policy numbers and beneficiaries, or note that there are none.",
    ),
    _Area(
        "money",
        ("bank_account", "investment", "pension", "crypto_wallet"),
        "Which accounts and pensions are there?",
        "Record bank accounts, pensions and investments; balances are not needed.",
    ),
    _Area(
        "debts",
        ("loan", "card"),
        "What has to be paid on?",
        "Record loans and cards, or note that there are none.",
    ),
    _Area(
        "home",
        ("property", "lease", "home_insurance"),
        "Where do you live, and under which contract?",
        "Record the house or the lease, and the insurance of the home.",
    ),
    _Area(
        "contracts",
        ("contract", "subscription", "membership"),
        "What has to be cancelled?",
        "Record contracts and subscriptions that go on by themselves.",
    ),
    _Area(
        "words",
        ("letter",),
        "Is there something you want to say to them?",
        "Write a letter to the people who matter to you.",
    ),
)


def areas(papers: Papers) -> list[LegacyArea]:
    """Each area with what is there."""
    return [_looked_at(area, papers) for area in _AREAS]


def _looked_at(area: _Area, papers: Papers) -> LegacyArea:
    records, unfiled = papers.of_types(*area.types), papers.unfiled(*area.types)
    incomplete = [record for record in records if record.missing]
    step = area.step
    if records and not incomplete:
        step = ""
    elif incomplete:
        step = f"Complete {incomplete[0].title}."
    elif unfiled:
        step = f"File {unfiled[0].title}: it looks like what is needed."
    return LegacyArea(
        name=area.name,
        question=area.question,
        state="present" if not step else "incomplete" if records else "missing",
        item_ids=[record.id for record in records],
        document_ids=[each.document_id for each in unfiled],
        next_step=step,
    )
