"""What other tools read of LifeVault: its OpenAPI document, its tables as a Prisma schema, its settings as `.env`."""
