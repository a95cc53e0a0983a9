"""Memory for opened indexes that this process keeps for itself.

The first touch of fresh memory costs several times as much as decrypting into it, above all on virtual machines, whose
host has to find it first. So what dropped indexes have taken is wiped and used again.
"""

import threading
from collections import deque
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
TOUCHED_BYTES = 2**20

Bytes = NDArray[np.uint8]
Span = tuple[int, int]


class Reserve:
    """A region of memory, lent in spans; for what it has no room, there is ordinary memory. Safe between threads."""

    def __init__(self, nbytes: int) -> None:
        nbytes -= nbytes % ALIGNMENT
        self._region = np.empty(nbytes, np.uint8)  # takes no memory before it is touched
        self._free: list[Span] = [(0, nbytes)] if nbytes else []
        self._returned: deque[Span] = deque()
        self._lock = threading.Lock()

    @property
    def free_bytes(self) -> int:
        """How much could be lent."""
        with self._lock:
            self._collect()
            return sum(end - begin for begin, end in self._free)

    def touch(self) -> None:
        """Have what is free ready for use; takes a while, in which it can't be lent."""
        spans: list[Span] = []
        while span := self.take(TOUCHED_BYTES)[1]:
            spans.append(span)
        self.give(*spans)

    def take(self, nbytes: int) -> tuple[Bytes, Span | None]:
        """Memory of this length with anything in it, and the span to give back, None for ordinary memory."""
        wanted = -(-nbytes // ALIGNMENT) * ALIGNMENT
        with self._lock:
            self._collect()
            for at, (begin, end) in enumerate(self._free):
                if end - begin >= wanted > 0:
                    self._free[at : at + 1] = [(begin + wanted, end)] if end - begin > wanted else []
                    return self._region[begin : begin + nbytes], (begin, begin + wanted)
        return np.empty(nbytes, np.uint8), None

    def keep(self, span: Span, nbytes: int) -> Span:
        """Give back what lies after the first `nbytes`; returns the rest of the span."""
        end = min(span[0] + -(-nbytes // ALIGNMENT) * ALIGNMENT, span[1])
        self._returned.append((end, span[1]))
        return span[0], end

    def give(self, *spans: Span) -> None:
        """Take spans back and wipe them; nobody may look at them any more.

        Needs no lock, so that it can be called whenever Python finds that an object is gone.
        """
        for begin, end in spans:
            self._region[begin:end] = 0
            self._returned.append((begin, end))

    def _collect(self) -> None:
        """Add what was given back; neighbours become one."""
        if not self._returned:
            return
        while self._returned:
            self._free.append(self._returned.popleft())
        merged: list[Span] = []
        for begin, end in sorted(span for span in self._free if span[0] < span[1]):
            if merged and merged[-1][1] == begin:
                merged[-1] = merged[-1][0], end
            else:
                merged.append((begin, end))
        self._free = merged


@lru_cache(maxsize=1)
def reserve(nbytes: int) -> Reserve:
    """The reserve of this process."""
    return Reserve(nbytes)
