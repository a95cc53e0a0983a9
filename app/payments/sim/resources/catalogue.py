"""Products, prices and tax rates."""

import re
from decimal import Decimal

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, listing, route
from app.payments.sim.core.errors import Doc, Invalid, Refused
from app.payments.sim.core.ids import new_id
from app.payments.sim.core.wire import Params, merged

CURRENCY = re.compile(r"[a-z]{3}")
LARGEST_AMOUNT = 99_999_999
INTERVALS = ("day", "week", "month", "year")


def read_currency(params: Params) -> str:
    """A currency code in lower case. Raises `Invalid`."""
    currency = params.need("currency").lower()
    if not CURRENCY.fullmatch(currency):
        raise Invalid("Invalid currency.", code="invalid_currency", param=params.name_of("currency"))
    return currency


@route("POST", "/v1/products")
def create_product(call: Call) -> Doc:
    """A product, with an id of the caller's choice if wanted."""
    params, books = call.params, call.books
    identifier = params.text("id", longest=255) or new_id("product")
    if books.peek("product", identifier) is not None:
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    product = new_product(books, params.need("name"), identifier)
    _fill_product(params, product)
    data = params.group("default_price_data")
    if params.has("default_price_data"):
        product["default_price"] = _new_price(books, data, product["id"])["id"]
    books.emit("product.created", product)
    return product


def new_product(books: Books, name: str, identifier: str | None = None) -> Doc:
    """A product."""
    nothing = ("default_price", "description", "package_dimensions", "shippable", "statement_descriptor")
    return books.add(
        dict.fromkeys((*nothing, "tax_code", "unit_label", "url"))
        | {
            "id": identifier or new_id("product"),
            "object": "product",
            "active": True,
            "created": books.now,
            "images": [],
            "livemode": False,
            "marketing_features": [],
            "metadata": {},
            "name": name,
            "type": "service",
            "updated": books.now,
        }
    )


@route("GET", "/v1/products/{id}")
def retrieve_product(call: Call, identifier: str) -> Doc:
    """A product."""
    return call.books.get("product", identifier)


@route("POST", "/v1/products/{id}")
def update_product(call: Call, identifier: str) -> Doc:
    """Change a product."""
    product = call.books.get("product", identifier)
    product["name"] = call.params.text("name") or product["name"]
    if call.params.has("default_price"):
        product["default_price"] = call.params.text("default_price")
    _fill_product(call.params, product)
    call.books.updated("product.updated", product)
    return product


@route("DELETE", "/v1/products/{id}")
def delete_product(call: Call, identifier: str) -> Doc:
    """Forget a product that has no prices."""
    product = call.books.get("product", identifier)
    if call.books.find("price", parent=identifier, limit=1):
        raise Refused("This product cannot be deleted because it has one or more user-created prices.")
    product["deleted"] = True
    call.books.keep(product)
    call.books.emit("product.deleted", product)
    return {"id": identifier, "object": "product", "deleted": True}


@route("GET", "/v1/products")
def list_products(call: Call) -> Doc:
    """Products, newest first."""
    ids = call.params.texts("ids")
    active = {"active": call.params.flag("active")} if call.params.has("active") else {}
    call.params.accept("url", "shippable", "type")
    return listing(call, "product", where={**active, "id": ids or None})


@route("POST", "/v1/prices")
def create_price(call: Call) -> Doc:
    """A price of a product, once or again and again."""
    params, books = call.params, call.books
    data = params.group("product_data")
    if params.has("product_data"):
        product = new_product(books, data.need("name"), data.text("id"))
        data.accept("active", "metadata", "statement_descriptor", "tax_code", "unit_label")
        books.emit("product.created", product)
    else:
        product = books.get("product", params.need("product"), "product")
    return _new_price(books, params, product["id"])


@route("GET", "/v1/prices/{id}")
def retrieve_price(call: Call, identifier: str) -> Doc:
    """A price."""
    return call.books.get("price", identifier)


@route("POST", "/v1/prices/{id}")
def update_price(call: Call, identifier: str) -> Doc:
    """Change what may change: name, activity, look-up key, metadata; never the amount."""
    params, books = call.params, call.books
    price = books.get("price", identifier)
    price["active"] = params.flag("active", price["active"])
    if params.has("nickname"):
        price["nickname"] = params.text("nickname")
    if params.has("lookup_key"):
        _name_price(books, params, price)
    price["metadata"] = merged(price["metadata"], params)
    params.accept("tax_behavior", "currency_options", "transfer_lookup_key")
    books.updated("price.updated", price)
    return price


@route("GET", "/v1/prices")
def list_prices(call: Call) -> Doc:
    """Prices, newest first."""
    params = call.params
    active = {"active": params.flag("active")} if params.has("active") else {}
    recurring = params.group("recurring")
    where = {
        **active,
        "lookup_key": params.texts("lookup_keys") or None,
        "type": params.choice("type", ("one_time", "recurring")),
        "currency": params.text("currency"),
        "recurring.interval": recurring.choice("interval", INTERVALS),
    }
    return listing(call, "price", parent=params.text("product"), where=where)


@route("POST", "/v1/tax_rates")
def create_tax_rate(call: Call) -> Doc:
    """A percentage that comes on top, or is contained."""
    params = call.params
    percentage = params.decimal("percentage")
    if percentage is None or not 0 <= percentage <= 100:
        raise Invalid("A percentage from 0 to 100 is needed.", param="percentage")
    rate = call.books.new(
        "tax_rate",
        active=params.flag("active", default=True),
        country=params.text("country"),
        description=params.text("description"),
        display_name=params.need("display_name"),
        effective_percentage=None,
        flat_amount=None,
        inclusive=params.flag("inclusive"),
        jurisdiction=params.text("jurisdiction"),
        jurisdiction_level=None,
        metadata=params.metadata(),
        percentage=float(percentage),
        rate_type="percentage",
        state=params.text("state"),
        tax_type=params.text("tax_type"),
    )
    call.books.emit("tax_rate.created", rate)
    return rate


@route("GET", "/v1/tax_rates/{id}")
def retrieve_tax_rate(call: Call, identifier: str) -> Doc:
    """A tax rate."""
    return call.books.get("tax_rate", identifier)


@route("POST", "/v1/tax_rates/{id}")
def update_tax_rate(call: Call, identifier: str) -> Doc:
    """Change what may change; never the percentage."""
    rate = call.books.get("tax_rate", identifier)
    rate["active"] = call.params.flag("active", rate["active"])
    for name in ("display_name", "description", "jurisdiction"):
        if call.params.has(name):
            rate[name] = call.params.text(name)
    rate["metadata"] = merged(rate["metadata"], call.params)
    call.books.updated("tax_rate.updated", rate)
    return rate


@route("GET", "/v1/tax_rates")
def list_tax_rates(call: Call) -> Doc:
    """Tax rates, newest first."""
    flags = {name: call.params.flag(name) for name in ("active", "inclusive") if call.params.has(name)}
    return listing(call, "tax_rate", where=flags)


def price_from_data(books: Books, data: Params) -> Doc:
    """A price that is given inside of another call."""
    inner = data.group("product_data")
    if data.has("product_data"):
        product = new_product(books, inner.need("name"))["id"]
        inner.accept("description", "images", "metadata", "tax_code")
    else:
        product = books.get("product", data.need("product"), data.name_of("product"))["id"]
    price = _new_price(books, data, product)
    price["active"] = False
    return price


def _new_price(books: Books, params: Params, product: str) -> Doc:
    amount, whole = _amount(params)
    recurring = params.group("recurring")
    is_recurring = params.has("recurring")
    interval = recurring.choice("interval", INTERVALS)
    count = recurring.integer("interval_count", minimum=1, maximum=156) or 1
    recurring.accept("usage_type", "trial_period_days", "meter")
    if is_recurring and interval is None:
        raise Invalid(
            "Missing required param: recurring[interval].", code="parameter_missing", param="recurring[interval]"
        )
    shown = {"interval": interval, "interval_count": count, "meter": None, "trial_period_days": None}
    price = books.new(
        "price",
        active=params.flag("active", default=True),
        billing_scheme="per_unit",
        currency=read_currency(params),
        custom_unit_amount=None,
        lookup_key=None,
        metadata=params.metadata(),
        nickname=params.text("nickname"),
        product=product,
        recurring={**shown, "usage_type": "licensed"} if is_recurring else None,
        tax_behavior=params.choice("tax_behavior", ("exclusive", "inclusive", "unspecified"), "unspecified"),
        tiers_mode=None,
        transform_quantity=None,
        type="recurring" if is_recurring else "one_time",
        unit_amount=whole,
        unit_amount_decimal=str(amount),
    )
    _name_price(books, params, price)
    params.accept("billing_scheme", "transfer_lookup_key", "metadata")
    books.emit("price.created", price)
    return price


def _amount(params: Params) -> tuple[Decimal, int | None]:
    whole, exact = (
        params.integer("unit_amount", minimum=0, maximum=LARGEST_AMOUNT),
        params.decimal("unit_amount_decimal"),
    )
    if whole is None and exact is None:
        raise Invalid(
            "Missing required param: unit_amount.", code="parameter_missing", param=params.name_of("unit_amount")
        )
    if exact is not None and not 0 <= exact <= LARGEST_AMOUNT:
        raise Invalid("Invalid amount.", code="amount_too_large", param=params.name_of("unit_amount_decimal"))
    amount = Decimal(whole) if whole is not None else exact or Decimal(0)
    return amount, int(amount) if amount == int(amount) else None


def _name_price(books: Books, params: Params, price: Doc) -> None:
    """Give a price its look-up key, which is taken from another one only if that was asked for."""
    key = params.text("lookup_key", longest=200)
    takes_over = params.flag("transfer_lookup_key")
    if key is not None:
        holders = books.find("price", where="json_extract(body, '$.lookup_key') = ?", values=(key,))
        for holder in (each for each in holders if each["id"] != price["id"]):
            if not takes_over:
                raise Refused(
                    "A price already uses that lookup key.", code="resource_already_exists", param="lookup_key"
                )
            holder["lookup_key"] = None
            books.updated("price.updated", holder)
    price["lookup_key"] = key
    books.keep(price)


def _fill_product(params: Params, product: Doc) -> None:
    product["active"] = params.flag("active", product["active"])
    for name in ("description", "url", "unit_label", "statement_descriptor"):
        if params.has(name):
            product[name] = params.text(name)
    product["metadata"] = merged(product["metadata"], params)
    params.accept("images", "marketing_features", "package_dimensions", "shippable", "tax_code", "type")
