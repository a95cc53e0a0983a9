"""The route of the search of records."""

from app.api.deps import SessionDep
from app.api.problems import problems
from app.api.routes import Router
from app.vault import service
from app.vault.errors import ContentDamaged, LimitReached, VaultNotFound, VaultSealed
from app.vault.router.access import Reader
from app.vault.schemas.search import ItemHits, ItemSearch

router = Router()


@router.post("/search", responses=problems(VaultNotFound, VaultSealed, LimitReached, ContentDamaged))
async def search_items(data: ItemSearch, principal: Reader, session: SessionDep) -> ItemHits:
    """Search your records by words, tags, types and dates, in some of your vaults or in all.

    Every word must be found: in the title, a tag, a field, the notes or the label of the type, without regard to case
    and accents. Values of secret fields are never searched. The best come first: a title that begins so, then words
    of titles, tags, types, fields and notes.
    """
    return await service.search_items(session, principal, data)
