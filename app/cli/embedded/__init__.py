"""The services that `lifevault up` brings along: PostgreSQL, Valkey and a mail catcher."""
