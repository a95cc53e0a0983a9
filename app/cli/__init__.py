"""The command `lifevault`. Each command imports what it needs when it runs, so that `--help` answers at once."""

import typer

from app.cli.audit import audit_app
from app.cli.backup import backup, restore
from app.cli.config import config_app
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.evaluate import evaluate
from app.cli.export import export_app, schema_app
from app.cli.gateway import gateway_app
from app.cli.keys import keys_app
from app.cli.legacy import legacy_app
from app.cli.migrate import migrate
from app.cli.payments import payments_app
from app.cli.sealed import sealed_app
from app.cli.status import status, stop
from app.cli.up import up

app = typer.Typer(
    name="lifevault",
    help="Encrypted vaults for the papers of a family's life.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(up)
app.command()(status)
app.command()(stop)
app.command()(demo)
app.command("eval")(evaluate)
app.command()(doctor)
app.command()(migrate)
app.command()(backup)
app.command()(restore)
app.add_typer(audit_app)
app.add_typer(config_app)
app.add_typer(gateway_app)
app.add_typer(keys_app)
app.add_typer(export_app)
app.add_typer(schema_app)
app.add_typer(legacy_app)
app.add_typer(payments_app)
app.add_typer(sealed_app)


def main() -> None:
    """The console script."""
    app()
