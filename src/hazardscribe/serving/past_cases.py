"""Similar past cases and the categories that they bear, from a company's own pairs.

Reading the pairs and encoding their photos takes minutes the first time and seconds from the cache
afterwards, so it happens beside the serving; until then nothing is suggested.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hazardscribe.errors import InputError
from hazardscribe.pairs.checking.personal import mask_personal
from hazardscribe.pairs.columns import ledger_columns
from hazardscribe.serving.schemas import PastCase, Suggestion

if TYPE_CHECKING:
    from hazardscribe.describing.describer import Describer
    from hazardscribe.describing.similar import CaseIndex
    from hazardscribe.describing.similar import PastCase as Case

logger = logging.getLogger(__name__)

SHOWN, ASKED, SUGGESTED = 3, 15, 3
"""Cases shown, cases that are asked for their category, categories suggested."""

_LONGEST = 2000


class PastCases:
    """The past cases, once they are loaded.

    Args:
        data: the pairs. describer: the model.
        on_model: runs what uses the model on the thread that owns it.

    Raises:
        InputError: if the pairs cannot be read or the model cannot compare photos; told from
            `load`.
    """

    def __init__(
        self,
        data: Path,
        describer: Describer,
        on_model: Callable[[Callable[[], np.ndarray]], np.ndarray],
    ) -> None:
        self._data, self._describer, self._on_model = data, describer, on_model
        self._index: CaseIndex | None = None
        self.categories: list[str] = []
        self.error: str | None = None
        self._thread = threading.Thread(target=self._load_or_tell, name="past-cases", daemon=True)

    def start(self) -> None:
        """Begin to load in the background."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait until they are loaded, or could not be."""
        self._thread.join(timeout)

    @property
    def ready(self) -> bool:
        """Whether cases can be looked up."""
        return self._index is not None

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """A decoded photo as a vector `(D,)`; only on the thread that owns the model."""
        assert self._index is not None
        return self._index.encode(pixels)

    def look_up(self, vector: np.ndarray) -> tuple[list[PastCase], list[Suggestion]]:
        """The nearest cases and the categories suggested, best first; empty until loaded."""
        if self._index is None:
            return [], []
        cases = self._index.nearest(vector, ASKED)
        return [_shown(case) for case in cases[:SHOWN]], suggest(cases)

    def _load_or_tell(self) -> None:
        try:
            self._load()
        except CancelledError:  # the server is stopping
            return
        except InputError as error:
            self.error = str(error)
            logger.error("similar past cases are left out: %s", error)
        except Exception:
            self.error = "failed"
            logger.exception("similar past cases are left out")

    def _load(self) -> None:
        from hazardscribe.describing.similar import CaseIndex
        from hazardscribe.pairs.read import read_pairs

        pairs = read_pairs(self._data)
        rows = [row for split in pairs.splits for row in pairs[split]]
        index = CaseIndex(self._describer, rows, self._on_model)
        index.build()
        column = ledger_columns(list(rows[0])).get("category", "") if rows else ""
        counts = Counter(str(row[column]).strip() for row in rows if row.get(column))
        self.categories = [name[:200] for name, _ in counts.most_common(200) if name]
        self._index = index
        logger.info("similar past cases: %d rows of %s", len(rows), self._data)


def suggest(cases: Sequence[Case]) -> list[Suggestion]:
    """The commonest categories of the nearest cases; the nearer wins a tie."""
    bearing = [case.facts["category"].strip() for case in cases if case.facts.get("category")]
    counts = Counter(name for name in bearing if name)
    return [
        Suggestion(category=name[:200], share=count / len(bearing))
        for name, count in counts.most_common(SUGGESTED)
    ]


def _shown(case: Case) -> PastCase:
    facts = {
        name: mask_personal(case.facts[name])[:_LONGEST]
        for name in ("category", "place", "date", "measure")
        if case.facts.get(name)
    }
    text = mask_personal(" / ".join(case.texts))[:_LONGEST]
    return PastCase(text=text, similarity=min(1.0, max(-1.0, case.similarity)), **facts)
