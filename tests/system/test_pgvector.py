"""`lifevault up` with pgvector offered: it makes the place, the worker copies, and answers come from there."""

import time
from collections.abc import Callable

import pytest

from tests.stack import Stack, upload, wait_for_job

pytestmark = pytest.mark.slow
SECONDS = 120


def test_a_person_who_wants_it_is_answered_from_vectors_in_the_database(make_stack: Callable[..., Stack]):
    stack = make_stack(LIFEVAULT_VECTOR_INDEX="pgvector")
    person = stack.person()
    document = upload(person, "policy.txt", b"The excess of the car insurance is 250 euros for each claim.")
    assert wait_for_job(person, document["job_id"])["state"] == "succeeded"
    path = f"/v1/rag/vaults/{person.vault_id}/index"

    chosen = person.client.put(path, json={"mode": "pgvector"}).raise_for_status().json()
    until = time.monotonic() + SECONDS
    while chosen["in_clear"] == 0 and time.monotonic() < until:
        time.sleep(0.5)
        chosen = person.client.get(path).raise_for_status().json()

    assert (chosen["mode"], chosen["offered"], chosen["in_clear"]) == ("pgvector", True, 1)
    question = {"question": "What is the excess of the car insurance?"}
    answer = person.client.post("/v1/rag/ask", json=question).raise_for_status().json()
    assert "250 euros" in answer["citations"][0]["quote"]
    assert person.client.put(path, json={"mode": "sealed"}).raise_for_status().json()["in_clear"] == 0
    assert person.client.post("/v1/rag/ask", json=question).raise_for_status().json()["found"] is True
