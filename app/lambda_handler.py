"""AWS Lambda: `app.lambda_handler.handler` answers events of API Gateway (v1, v2), function URLs and load balancers.

The runtime is opened once, when the function's process starts: Mangum's own lifespan would do so on each event.
"""

from app.core.start import without_collection

with without_collection():
    from mangum import Mangum

    from app.core.logging import configure_logging
    from app.db.runtime import open_runtime
    from app.main import app

TEXT_TYPES = ["text/", "application/json", "application/problem+json"]

configure_logging(debug=app.state.settings.debug)
open_runtime(app.state.settings)
handler = Mangum(app, lifespan="off", text_mime_types=TEXT_TYPES)
