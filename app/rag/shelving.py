"""Shards put side by side on a shelf, in memory that is used again when the shelf is gone."""

from collections.abc import Container, Iterable, Sequence
from weakref import finalize

import numpy as np

from app.rag.memory import Bytes, Reserve, Span
from app.rag.shard import model_id_of, model_tag, read_counts
from app.rag.shelf import Shelf

SPARE = 1.25
"""So much more room than expected, so that documents of unlike shape seldom have to be moved."""


class ShelfBuilder:
    """Puts documents side by side in memory of the reserve; `nbytes` is how long their shards are together.

    A `bare` shelf leaves their vectors out.
    """

    def __init__(
        self, model_id: str | None, nbytes: int, reserve: Reserve | None = None, *, bare: bool = False
    ) -> None:
        self._model_id = model_id
        self._bare = bare
        self._nbytes = nbytes
        self._reserve = reserve or Reserve(0)
        self._words = _Growing(self._reserve)
        self._levels = _Growing(self._reserve)
        self._dimensions = 0
        self._starts: list[int] = []
        self._revisions: list[bytes] = []
        self._empty: set[bytes] = set()

    def add(self, revision: bytes, shard: bytes) -> None:
        """Raises `ValueError` for anything but what `build_shard` wrote for this model."""
        counts, model = read_counts(shard)
        if model != model_tag(self._model_id):
            raise ValueError("a shard of another model")
        if counts.chunks:
            data = np.frombuffer(shard, np.uint8)
            levels = data[:0] if self._bare else data[4 * counts.words :]
            self._put(revision, data[: 4 * counts.words], levels, counts.dimensions)
        else:
            self._empty.add(revision)

    def take(self, shelf: Shelf, wanted: Container[bytes]) -> None:
        """Add those of a shelf's documents that are wanted."""
        for revision, words, levels in shelf.pieces(wanted):
            self._put(revision, words.view(np.uint8), levels.view(np.uint8).ravel(), shelf.dimensions)
        self._empty.update(each for each in shelf.known.difference(shelf.revisions) if each in wanted)

    def _put(self, revision: bytes, words: Bytes, levels: Bytes, dimensions: int) -> None:
        if not self._starts:
            self._dimensions = dimensions
            share = self._nbytes * SPARE / (len(words) + len(levels))  # as if the others were like this one
            self._words.make_room(int(share * len(words)))
            self._levels.make_room(int(share * len(levels)))
        if dimensions != self._dimensions:
            raise ValueError("vectors of one model have one length")
        self._starts.append(self._words.end // 4)
        self._revisions.append(revision)
        self._words.append(words)
        self._levels.append(levels)

    def done(self) -> Shelf:
        """The shelf; nothing can be added any more."""
        words, levels = self._words.done().view("<u4"), self._levels.done().view(np.int8)
        arrays = words, levels.reshape(-1, self._dimensions) if self._dimensions else levels.reshape(0, 0)
        starts = np.array(self._starts, np.int64)
        shelf = Shelf(self._model_id, self._revisions, frozenset(self._empty), starts, arrays)
        spans = [span for span in (self._words.span, self._levels.span) if span]
        finalize(shelf, self._reserve.give, *spans).atexit = False
        return shelf


class _Growing:
    """Bytes, one after the other."""

    def __init__(self, reserve: Reserve) -> None:
        self.span: Span | None = None
        self.end = 0
        self._reserve = reserve
        self._memory: Bytes = np.empty(0, np.uint8)

    def make_room(self, nbytes: int) -> None:
        """Have room for so many bytes in all."""
        memory, span = self._reserve.take(nbytes)
        memory[: self.end] = self._memory[: self.end]
        if self.span:
            self._reserve.give(self.span)
        self._memory, self.span = memory, span

    def append(self, part: Bytes) -> None:
        end = self.end + len(part)
        if end > len(self._memory):
            self.make_room(int(end * SPARE))
        self._memory[self.end : end] = part
        self.end = end

    def done(self) -> Bytes:
        if self.span:
            self.span = self._reserve.keep(self.span, self.end)
        return self._memory[: self.end]


def open_shelves(shards: Iterable[bytes]) -> list[Shelf]:
    """Shards, in whatever mixture of models, as shelves; their numbers in order stand for their revisions."""
    by_model: dict[str | None, list[tuple[int, bytes]]] = {}
    for number, shard in enumerate(shards):
        by_model.setdefault(model_id_of(shard), []).append((number, shard))
    return [_opened(model_id, those) for model_id, those in by_model.items()]


def _opened(model_id: str | None, shards: Sequence[tuple[int, bytes]]) -> Shelf:
    builder = ShelfBuilder(model_id, sum(len(shard) for _, shard in shards))
    for number, shard in shards:
        builder.add(number.to_bytes(16), shard)
    return builder.done()


def joined(shelves: Sequence[Shelf], wanted: Container[bytes], reserve: Reserve | None = None) -> Shelf:
    """One shelf of the wanted documents of several that have the same model."""
    builder = ShelfBuilder(shelves[0].model_id, sum(shelf.nbytes for shelf in shelves), reserve)
    for shelf in shelves:
        builder.take(shelf, wanted)
    return builder.done()
