"""One call on the books, from its parameters to what is shown."""

from app.payments.sim.core.books import Books
from app.payments.sim.core.calls import Call, find_handler
from app.payments.sim.core.errors import Doc
from app.payments.sim.core.render import render
from app.payments.sim.core.wire import Params


def perform(books: Books, method: str, path: str, values: Doc) -> Doc:
    """The answer to a call. Raises `SimError`, after which the books must be discarded unless it `keeps`."""
    handler, arguments = find_handler(method, path)
    params = Params(values)
    expand = params.texts("expand")
    result = handler(Call(books, params, path), *arguments)
    params.finish()
    return render(books, result, expand)
