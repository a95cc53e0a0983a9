"""Outgoing webhooks after the Standard Webhooks (https://www.standardwebhooks.com): signed, tried again, replayable."""
