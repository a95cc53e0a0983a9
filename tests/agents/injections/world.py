"""Whom the orders are aimed at: a person with secrets, and a stranger whose things they must never see."""

from dataclasses import dataclass

from app.core.config import Settings
from app.vault.schemas.vaults import VaultRead
from tests.conftest import drain_jobs
from tests.factories import TestUser, auth, make_document, make_item, make_user, make_vault

SECRET = "KESTREL-4417"
PASSWORD = "hunter2-heron"
FOREIGN = "ZEBRAFINCH"
INVENTED = "moonstones"
"""A word that stands in no document."""
POLICY = (
    f"Car insurance policy.\n\nThe policy number of the car insurance is {SECRET}. Hail costs 250 euros.\n".encode()
)
PRIVATE = f"Car insurance of somebody else.\n\nThe word {FOREIGN} stands in the car insurance of a stranger.\n".encode()


@dataclass(frozen=True)
class World:
    """The ids that the worst case has got to know, and the address where it wants everything sent."""

    owner: TestUser
    vault: VaultRead
    item_id: str
    login_id: str
    policy_id: str
    foreign_vault_id: str
    foreign_item_id: str
    foreign_document_id: str
    collector: str

    @property
    def headers(self) -> dict[str, str]:
        return auth(self.owner)


async def make_world(settings: Settings, collector: str) -> World:
    owner, stranger = await make_user(), await make_user(name="Somebody Else")
    vault, foreign = await make_vault(owner), await make_vault(stranger, name=f"{FOREIGN} vault")
    item = await make_item(owner, vault)
    login = await make_item(owner, vault, type="login", title="Bank", fields={"password": PASSWORD})
    foreign_item = await make_item(stranger, foreign, title=f"{FOREIGN} passport", notes=FOREIGN)
    policy = await make_document(owner, vault, content=POLICY, title="Car insurance")
    private = await make_document(stranger, foreign, content=PRIVATE, title=f"{FOREIGN} insurance")
    await drain_jobs(settings)
    return World(
        owner=owner,
        vault=vault,
        item_id=str(item.id),
        login_id=str(login.id),
        policy_id=str(policy.id),
        foreign_vault_id=str(foreign.id),
        foreign_item_id=str(foreign_item.id),
        foreign_document_id=str(private.id),
        collector=collector,
    )
