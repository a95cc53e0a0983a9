"""Signs schemathesis in, again and again: some operations end the session they are called in."""

import os

import httpx
import schemathesis

URL = os.environ.get("LIFEVAULT_TEST_URL", "")
EMAIL = os.environ.get("LIFEVAULT_TEST_EMAIL", "")
PASSWORD = os.environ.get("LIFEVAULT_TEST_PASSWORD", "")


@schemathesis.auth(refresh_interval=2)
class SignIn:
    def get(self, case, context):
        form = {"username": EMAIL, "password": PASSWORD}
        return httpx.post(f"{URL}/v1/auth/token", data=form).raise_for_status().json()["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
