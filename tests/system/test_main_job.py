"""From an empty folder to a cited answer, with real processes all the way."""

import io
import json

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.stack import Stack, upload, wait_for_job

pytestmark = pytest.mark.slow

PAGES = [
    ["HOME INSURANCE POLICY", "Policyholder: Mira Holm.", "Insured building: Birch Lane 9, Eastmere."],
    ["SECTION 2: WATER DAMAGE", "For water damage you bear an excess of 420 euros for each claim."],
    ["SECTION 3: TERM", "The policy ends on 30 September 2027 unless it is renewed."],
]


def pdf(pages: list[list[str]]) -> bytes:
    output = io.BytesIO()
    canvas = Canvas(output)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 760 - 24 * number, line)
        canvas.showPage()
    canvas.save()
    return output.getvalue()


def test_a_pdf_is_stored_read_with_visible_progress_and_answers_with_the_right_page(stack: Stack):
    person = stack.person()
    document = upload(person, "Home insurance.pdf", pdf(PAGES))

    with person.client.stream("GET", f"/v1/jobs/{document['job_id']}/events", timeout=120) as response:
        lines = list(response.iter_lines())
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    last = json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))
    assert events[-1] == "succeeded"
    assert last["progress"] == 1

    question = {"question": "What is our excess for water damage under the home insurance?"}
    answer = person.client.post("/v1/rag/ask", json=question).raise_for_status().json()
    assert answer["found"]
    assert "420 euros" in answer["answer"]
    citation = answer["citations"][0]
    assert citation["page"] == 2
    page = person.client.get(f"/v1/rag/documents/{document['id']}/pages/2").raise_for_status().json()
    assert page["text"][citation["start"] : citation["end"]] == citation["quote"]


def test_everything_is_still_there_after_a_restart(stack: Stack):
    person = stack.person()
    content = pdf(PAGES)
    document = upload(person, "Home insurance.pdf", content)
    wait_for_job(person, document["job_id"])

    stack.stop()
    stack.start()

    assert person.client.get(f"/v1/vault/documents/{document['id']}/content").content == content
    hits = person.client.post("/v1/rag/search", json={"query": "water damage excess"}).raise_for_status().json()["hits"]
    assert hits[0]["document_id"] == document["id"]


def test_readiness_names_each_part(stack: Stack):
    ready = stack.person().client.get("/health/ready").json()

    assert ready == {"status": "ok", "parts": {"database": "ok", "blobs": "ok", "queue": "ok"}}
