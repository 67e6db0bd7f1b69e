"""`check`: reads pairs, measures each photo once, gathers what all finders find.

    report = check("pairs/")
    report.failed("error")        # would a pipeline stop here?
    report.write("report.html")   # for people; "report.json" for machines

Nothing of what is checked is written to or changed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hazardscribe import __version__
from hazardscribe.errors import InputError
from hazardscribe.pairs.checking.duplicate_findings import duplicate_findings
from hazardscribe.pairs.checking.findings import SEVERITIES, Finding
from hazardscribe.pairs.checking.measure import Measure, measure_photo
from hazardscribe.pairs.checking.page import write_page
from hazardscribe.pairs.checking.photo_findings import photo_findings
from hazardscribe.pairs.checking.subject import Subject, subject_of
from hazardscribe.pairs.checking.table_findings import table_findings
from hazardscribe.pairs.checking.text_findings import text_findings
from hazardscribe.pairs.checking.wording import load_wording
from hazardscribe.pairs.left_out import nothing_left
from hazardscribe.pairs.near_duplicates import Look
from hazardscribe.pairs.read import look_over, read_pairs, why_unreadable
from hazardscribe.pairs.records import Pairs, Rejected, short_name
from hazardscribe.pairs.shards import ShardedPairs
from hazardscribe.pairs.targets import detect_language, target_texts

log = logging.getLogger(__name__)

Extra = Callable[[Sequence[str]], Sequence[Finding]]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        findings: worst first.
        subject: the pairs and what was measured of their photos.
        source: what was checked, by name.
        digest: of the pairs, as in the records of training.
        rows_read: source rows below the headers.
        rows_rejected: those that gave no pair.
        wording: the file of slips and empty phrases that was used.
    """

    findings: tuple[Finding, ...]
    subject: Subject
    source: str
    digest: str
    rows_read: int
    rows_rejected: int
    wording: str

    def failed(self, least: str = "error") -> bool:
        """Whether a finding is at least as bad as `error`, `warning` or `hint`; `never`: no."""
        order = ("never", *SEVERITIES)
        return any(order.index(one.severity) <= order.index(least) for one in self.findings)

    def counts(self) -> dict[str, int]:
        """Sizes: rows read and rejected, pairs, photos, different photos and texts."""
        rows = self.subject.rows
        return {
            "rows_read": self.rows_read,
            "rows_rejected": self.rows_rejected,
            "pairs": len(rows),
            "photos": len(self.subject.by_photo()),
            "distinct_photos": len(self.subject.by_digest()),
            "distinct_texts": len(self.subject.by_text()),
        }

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, without photos and descriptions."""
        return {
            "source": self.source,
            "version": __version__,
            "digest": self.digest,
            "language": self.subject.language,
            "counts": self.counts(),
            "splits": {split: len(rows) for split, rows in self.subject.by_split().items()},
            "findings": [finding.to_json() for finding in self.findings],
        }

    def write(self, path: str | Path, *, sample: int = 24, seed: int = 0) -> Path:
        """Write the report: `.html` is a self-contained page, `.json` plain data.

        Args:
            path: the file; its folder is made when missing.
            sample: random pairs that the page shows.
            seed: of the sample.

        Raises:
            InputError: another suffix, or the file cannot be written.
        """
        return write_page(self, Path(path), sample=sample, seed=seed)


def check(
    pairs: Pairs | str | Path,
    *,
    columns: dict[str, str] | None = None,
    photos: str | Path | None = None,
    target: str = "{description}",
    wording: str | Path | None = None,
    extra: Extra | None = None,
    progress: bool = False,
) -> CheckReport:
    """Look over pairs, and change nothing.

    Args:
        pairs: pairs, or anything that `read_pairs` reads.
        columns: as in `read_pairs`.
        photos: folder of the photos, where it is not the table's.
        target: the text to learn, from the columns; what training is told.
        wording: YAML file of slips and empty phrases in place of the packaged one.
        extra: gives further findings from the texts, such as those on a model.
        progress: show a progress bar.

    Raises:
        InputError: the pairs, the target or the wording cannot be used.
    """
    chosen = None if wording is None else Path(wording)
    load_wording("zh", chosen)  # a bad file is better known before the photos are read
    measures: dict[str, Measure] = {}

    def examine(photo: str) -> Look | str:
        found = measures[photo] = measure_photo(photo)
        return found.look or found.digest

    measured = False
    if isinstance(pairs, Pairs):
        source = pairs.folder.name
    else:
        source = Path(os.path.abspath(pairs)).name  # noqa: PTH100 (a link keeps its name)
        pairs = read_pairs(
            pairs, columns=columns, photos=photos, examine=examine, progress=progress
        )
        measured = not isinstance(pairs, ShardedPairs)
    if not len(pairs):
        raise InputError(f"{pairs.folder}: holds no pairs; there is nothing to check")
    digest = pairs.digest()
    if not measured:
        pairs = _usable(pairs, examine, progress)
    records = pairs.frame.to_dict("records")
    texts = target_texts(records, target)
    language = detect_language(texts)
    words = load_wording(language, chosen)
    subject = subject_of(pairs, texts, measures, language)
    findings = [
        *table_findings(subject),
        *duplicate_findings(subject),
        *photo_findings(subject),
        *text_findings(subject, words),
        *(extra(texts) if extra else ()),
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return CheckReport(
        tuple(findings),
        subject,
        source,
        digest,
        pairs.rows_read,
        pairs.rows_rejected,
        words.source,
    )


def _usable(pairs: Pairs, examine: Callable[[str], Look | str], progress: bool) -> Pairs:
    """Examine the photos of pairs whose reading did not; those that fail are left out.

    Raises:
        InputError: no photo can be used.
    """
    frame = pairs.frame
    _, failures = look_over(list(dict.fromkeys(frame["photo"])), examine, progress)
    if not failures:
        return pairs
    failed = frame["photo"].isin(list(failures))
    places = [frame["row_file"], frame["row_sheet"], frame["row_number"]]
    lost = int(failed.groupby(places).all().sum())  # a row may have other photos
    rejected = [
        *pairs.rejected,
        *(
            Rejected(
                str(file),
                int(number),
                short_name(photo, pairs.folder),
                "photo_unreadable",
                why_unreadable(photo, failures[photo]),
            )
            for photo, file, number in frame.loc[
                failed, ["photo", "row_file", "row_number"]
            ].itertuples(index=False)
        ),
    ]
    if failed.all():
        raise nothing_left(pairs.folder, pairs.rows_read, rejected)
    return Pairs(
        frame[~failed],
        folder=pairs.folder,
        rejected=rejected,
        columns=pairs.columns,
        rows_read=pairs.rows_read,
        rows_imported=pairs.rows_imported - lost,
    )
