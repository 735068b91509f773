"""All chance of the model: from the seed, a place in the computation, the step."""

from __future__ import annotations

import numpy as np

from labkit.model.parameters import Floats

# Names of streams, in the place of a step's number, and who asks for chance.
GAPS, SHAPE = 2**40, 2**41
HIGHWAY, STEPS, DETOURS = range(3)


class Chance:
    """Uniform draws for ``rows`` rows, anew in each step, the same for the same seed
    and the same ``place``: some numbers that nobody else has.

    Of a row that is carried out again only the ``chosen`` ones are looked at.
    """

    def __init__(self, seed: int, rows: int, *place: int) -> None:
        self.rows = rows
        self.chosen: np.ndarray[tuple[int], np.dtype[np.intp]] | None = None
        # A seed is any whole number; a generator takes those from 0 on.
        self._key = (seed % 2**64, *place)
        self._stream: np.random.Generator | None = None
        self._step = 0

    def step(self, number: int) -> None:
        """The step of this number begins."""
        self._step, self._stream = number, None

    def stream(self, *labels: int) -> np.random.Generator:
        """A stream of its own."""
        return np.random.default_rng((*self._key, *labels))

    def uniform(self) -> Floats:
        """From 0 to 1, one for each row."""
        if self._stream is None:
            self._stream = self.stream(self._step)
        drawn = self._stream.random(self.rows)
        return drawn if self.chosen is None else drawn[self.chosen]
