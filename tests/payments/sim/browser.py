"""A browser without scripts: forms as they stand in the page, cookies kept, redirects followed within the simulator."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx


@dataclass
class Form:
    """One form of a page: its hidden fields and what is filled in."""

    fields: dict[str, str] = field(default_factory=dict)
    labels: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.inputs_without_label: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form())
        elif tag in ("input", "button") and self.forms:
            form = self.forms[-1]
            form.labels += " " + values.get("value", "")
            is_chosen = values.get("type") != "radio" or "checked" in values
            if tag == "input" and values.get("name") and is_chosen:
                form.fields[values["name"]] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self.forms:
            self.forms[-1].labels += data


class Browser:
    """`page` is the last answer, `text` what a person reads there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.page: httpx.Response | None = None

    @property
    def text(self) -> str:
        assert self.page is not None
        body = re.sub(r"<style>.*?</style>", "", self.page.text, flags=re.DOTALL)
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))

    async def open(self, url: str) -> httpx.Response:
        self.page = await self._client.get(url)
        return await self._follow()

    async def send(self, button: str, **filled: Any) -> httpx.Response:
        """Send the form that has these words on it."""
        assert self.page is not None
        reader = _Reader()
        reader.feed(self.page.text)
        form = next(form for form in reader.forms if button in form.labels)
        self.page = await self._client.post(str(self.page.url), data=form.fields | filled)
        return await self._follow()

    async def _follow(self) -> httpx.Response:
        assert self.page is not None
        while self.page.is_redirect and self.page.next_request is not None:
            if self.page.next_request.url.host != "127.0.0.1":
                break
            self.page = await self._client.get(self.page.next_request.url)
        return self.page
