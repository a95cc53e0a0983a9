"""The lines of invoices: all of them, each with the lookup key of its price."""

from collections.abc import Sequence

from app.payments.providers import wire_money
from app.payments.providers.fields import Fields
from app.payments.providers.prices import Prices
from app.payments.providers.wire import LookupKey


class InvoiceLines(Prices):
    """An invoice has its first lines in it; the others are listed."""

    async def _lines_of(self, invoice: Fields) -> Sequence[Fields]:
        lines = invoice.sub("lines")
        if not lines.flag("has_more"):
            return lines.rows("data")
        return [each async for each in self._pages(f"/v1/invoices/{invoice.text('id')}/lines")]

    async def _lookup_of(self, lines: Sequence[Fields]) -> LookupKey:
        prices = {wire_money.line_price(each) for each in lines}
        return (await self._lookup_keys({each for each in prices if each})).__getitem__
