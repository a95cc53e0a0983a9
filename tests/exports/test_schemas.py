"""Our tables as others describe them: Prisma's own parser accepts what we write, and differences are found."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app as commands
from app.cli.exporting.drift import drift
from app.cli.exporting.environment import env_example
from app.cli.exporting.prisma import prisma_schema
from app.core.config import Settings
from app.models import Base
from tests import ROOT
from tests.exports.node import npm_install, run_node

VALIDATE = """
import { validate } from '@prisma/prisma-schema-wasm';
import { readFileSync } from 'node:fs';
validate(JSON.stringify({ prismaSchema: readFileSync(process.argv[2], 'utf8'), noColor: true }));
console.log('VALID');
"""


@pytest.mark.slow
def test_prismas_own_parser_accepts_the_schema(tmp_path: Path):
    schema = tmp_path / "schema.prisma"
    result = CliRunner().invoke(commands, ["export", "prisma", "-o", str(schema)])
    assert result.exit_code == 0, result.output

    printed = run_node(npm_install(tmp_path, "@prisma/prisma-schema-wasm"), VALIDATE, str(schema))

    assert printed.strip() == "VALID"
    assert all(f"model {name} {{" in schema.read_text() for name in Base.metadata.tables)


def test_our_own_export_agrees_with_the_tables(tmp_path: Path):
    schema = tmp_path / "schema.prisma"
    schema.write_text(prisma_schema(Base.metadata))

    result = CliRunner().invoke(commands, ["schema", "check", str(schema)])

    assert (result.exit_code, result.stdout) == (0, "The schema agrees with the tables.\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("model vault_items {", "model other_items {", "vault_items: the table is not in the schema"),
        ("  tier String", "  tier Int", "vaults.tier: is String, the schema says Int"),
        ("  tier String", "  level String", "vaults.tier: the column is not in the schema"),
        ("  tier String", "  level String", "vaults.level: there is no such column"),
        (
            "  trashed_at DateTime?",
            "  trashed_at DateTime",
            "vaults.trashed_at: is DateTime?, the schema says DateTime",
        ),
        ("  tier String", '  level String @map("tier")', None),
    ],
)
def test_a_difference_is_found_and_a_mapped_name_is_none(old: str, new: str, said: str | None):
    text = prisma_schema(Base.metadata)
    start = text.index("model vaults {") if "  " in old else 0
    changed = text[:start] + text[start:].replace(old, new, 1)

    lines = drift(Base.metadata, changed)

    assert said in lines if said else lines == []


def test_the_example_of_settings_is_the_one_that_is_kept():
    assert (ROOT / ".env.example").read_text() == env_example()
    assert all(f"LIFEVAULT_{name.upper()}=" in env_example() for name in Settings.model_fields)
