"""A link to the provider's own portal."""

from uuid import UUID

from app.auth.principal import Principal
from app.db.session import Actor, session_scope
from app.payments.errors import NoSubscription
from app.payments.providers.port import Operation
from app.payments.providers.registry import current_provider
from app.payments.services import buyers, families
from app.payments.services.checkout import require_own, return_urls
from app.payments.services.reaching import reaching


async def open_portal(principal: Principal, return_url: str | None, cause: UUID) -> str:
    """The address of the portal, for whoever has paid before; it changes nothing by itself.

    Raises `NotThePayer`, `UrlNotAllowed`, `NoSubscription`, `ProviderUnreachable`, `ProviderRefused`.
    """
    url = return_url or return_urls(None, None)["success_url"]
    require_own(url)
    async with session_scope(principal.actor) as session:
        family_id = await families.require_payer(session, principal)
    provider = current_provider()
    if provider is None:
        raise NoSubscription
    async with session_scope(Actor.family(family_id)) as session:
        customer_id = await buyers.find_customer(session, provider, family_id)
    if customer_id is None:
        raise NoSubscription
    with reaching():
        return await provider.create_portal(Operation(cause), customer_id, url)
