"""How far a reading is, as one scale over all its steps that never goes back within a try."""

from app.jobs.service import JobRun

SCALE = 1_000
SPANS = {"reading": (0, 400), "fields": (400, 430), "embedding": (430, 950), "indexing": (950, 990)}
"""Where each step begins and ends on the scale; embedding takes longest for most documents."""


class Progress:
    """Shows a job's steps."""

    def __init__(self, run: JobRun) -> None:
        self._run = run
        self._shown = 0

    async def show(self, step: str, done: int = 0, total: int = 1) -> None:
        """Tell that `done` of `total` parts of a step are done. Raises `LeaseLost`."""
        begin, end = SPANS[step]
        self._shown = max(self._shown, begin + (end - begin) * min(done, total) // max(total, 1))
        await self._run.progress(step, self._shown, SCALE)
