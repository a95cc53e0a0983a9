"""Tax rates as calls name them."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.errors import Doc, Refused
from app.payments.sim.core.wire import Params


def read_tax_rates(books: Books, params: Params, name: str) -> list[Doc]:
    """Active tax rates by their ids, as they are shown in other objects. Raises `Missing` and `Refused`."""
    rates = [books.get("tax_rate", identifier, name) for identifier in params.texts(name)]
    if not all(rate["active"] for rate in rates):
        raise Refused("A tax rate is not active any more.", param=name)
    return rates
