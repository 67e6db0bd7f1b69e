"""What was fitted on dev, for a terminal: re-ranking and doubt, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hazardscribe.describing.calibration import Calibration


def summary_lines(calibration: Calibration) -> Iterator[str]:
    """What re-ranking gains, and how many photos of dev get an answer at which risk."""
    fitted = calibration.summary()
    way = fitted["reranking"]
    if way is None:
        yield "re-ranking: gains nothing on dev, left out"
    else:
        yield (
            f"re-ranking: {way['beams']} candidates, {way['score']} on dev {way['plain']:.3f} -> "
            f"{way['reranked']:.3f} (cross-validated)"
        )
    answered = fitted["risk_answered"]
    shown = "-" if answered is None else f"{answered:.1%}"
    yield (
        f"doubt: the draft is the answer for {fitted['coverage']:.0%} of {fitted['dev_photos']} "
        f"dev photos, {shown} of those not acceptable ({fitted['risk_of_all']:.1%} of all drafts; "
        f"aimed at {fitted['risk_aimed_at']:.0%}"
        f"{'' if fitted['risk_reached'] else ', which no confidence reaches'})"
    )
