"""A model that lies about ids, pages and quotes, in between what is true."""

import random
import re
from typing import Any

from tests.agents.core.model import Says, asks

SENTENCE = re.compile(r"[^.\n]{12,200}\.")
FALSE_QUOTES = (
    "the sum is nine million euros",
    "this contract never ends at all",
    "everything is paid for by the state",
)


class Liar:
    """`script` of a model (see `tests.agents.core.model`); what it says depends on the seed alone."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def __call__(self, body: dict[str, Any]) -> Says:
        messages = body["messages"]
        if body.get("tools") and messages[-1]["role"] == "user":
            return asks("search_documents", {"query": messages[-1]["content"], "limit": self.chance.randint(1, 8)})
        told = "\n".join(str(each.get("content") or "") for each in messages[1:])
        sentences = SENTENCE.findall(told) or ["There is nothing."]
        return Says(" ".join(self.statement(sentences) for _ in range(self.chance.randint(1, 6))))

    def statement(self, sentences: list[str]) -> str:
        said = self.chance.choice(sentences).strip()
        shape = self.chance.randrange(8)
        if shape == 0:
            said = re.sub(r"\d", lambda _: str(self.chance.randrange(10)), said)
        elif shape == 1:
            said = f'"{said}"'
        elif shape == 2:
            said = f"“{self.chance.choice(FALSE_QUOTES)}”"
        elif shape == 3:
            said = f'The page says "{said[: self.chance.randint(5, len(said))]}"'
        elif shape == 4:
            said = f"As page {self.chance.randrange(99)} of document {self.chance.randbytes(16).hex()} says, {said}"
        elif shape == 5:
            words = said.split()
            self.chance.shuffle(words)
            said = " ".join(words)
        return said + self.markers()

    def markers(self) -> str:
        numbers = [self.chance.choice((*range(1, 9), 0, 17, 99, 1000)) for _ in range(self.chance.randint(0, 3))]
        shapes = ("[{}]", "【{}】", "[ {} ]", "[passage {}]", "[^{}]", "(page {})", "[{}†source]", "[-{}]")
        joined = self.chance.choice((", ", "; ", "-", "]["))
        return f" {self.chance.choice(shapes).format(joined.join(map(str, numbers)))}" if numbers else ""
