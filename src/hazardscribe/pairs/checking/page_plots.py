"""The page's histograms, as SVG text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hazardscribe.pages import plot_language, plot_style, svg_text
from hazardscribe.pairs.checking.page_words import LABELS
from hazardscribe.pairs.checking.photo_findings import MIN_SHARPNESS
from hazardscribe.pairs.checking.subject import Subject
from hazardscribe.pairs.checking.text_findings import MAX_LENGTH, MIN_LENGTH, text_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR, _LIMIT = "#1f5fa8", "#b3261e"
_SIZE = (4.2, 2.4)  # inches
_MOST_BARS = 8


def plots(subject: Subject) -> Iterator[tuple[str, str]]:
    """Label in the page's language and SVG of each plot."""
    language, fonts = plot_language(subject.language)
    ours, labels = LABELS[subject.language], LABELS[language]
    unit = f"unit_{subject.language}"
    seen = [subject.measures[photo] for photo in subject.by_photo()]
    lengths = [float(text_length(row.text, subject.language)) for row in subject.rows]
    limits = [
        edge
        for edge in (MIN_LENGTH[subject.language], MAX_LENGTH[subject.language])
        if min(lengths) < edge <= max(lengths)
    ]
    sharp = [measure.sharpness for measure in seen]
    texts = Counter(len({row.text for row in rows}) for rows in subject.by_digest().values())
    photos = Counter(len({row.photo for row in rows}) for rows in subject.by_text().values())

    def drawn() -> Iterator[tuple[str, str]]:
        yield (
            "plot_length",
            _histogram(lengths, labels["plot_length"].format(unit=labels[unit]), limits),
        )
        sides = [float(max(measure.width, measure.height)) for measure in seen]
        yield "plot_side", _histogram(sides, labels["plot_side"])
        yield (
            "plot_sharpness",
            _histogram(
                sharp,
                labels["plot_sharpness"],
                [MIN_SHARPNESS] if min(sharp) < MIN_SHARPNESS else [],
                log=True,
            ),
        )
        yield "plot_light", _histogram([m.middle for m in seen], labels["plot_light"])
        yield "plot_texts", _bars(texts, labels["plot_texts"])
        yield "plot_photos", _bars(photos, labels["plot_photos"])

    with plot_style(fonts):
        for name, svg in drawn():
            yield ours[name].format(unit=ours[unit]), svg


def _histogram(
    values: Sequence[float], label: str, limits: Sequence[float] = (), *, log: bool = False
) -> str:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axis = figure.subplots()
    low, high = min(values), max(values)
    if log:
        low = max(low, 0.1)
        edges = np.geomspace(low, max(high, low * 1.5), 31)
        axis.set_xscale("log")
        values = [max(value, low) for value in values]
    else:
        whole = high - low < 30 and all(value == int(value) for value in values)
        edges = (
            np.arange(low, high + 2) - 0.5 if whole else np.linspace(low, max(high, low + 1), 31)
        )
    axis.hist(values, bins=edges.tolist(), color=_COLOUR, zorder=2)
    for limit in limits:
        axis.axvline(limit, color=_LIMIT, lw=1, ls="--", zorder=3)
    return _finished(figure, axis, label)


def _bars(counts: Counter[int], label: str) -> str:
    """Bars for the small numbers, one bar for all above."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axis = figure.subplots()
    numbers = sorted(counts)
    if len(numbers) > _MOST_BARS or numbers[-1] > 2 * _MOST_BARS:
        # Powers of two, since one text may serve a single photo or hundreds.
        bins: Counter[int] = Counter()
        for number, count in counts.items():
            bins[number.bit_length()] += count
        names = [f"{2 ** (b - 1)}–{2**b - 1}" if b > 1 else "1" for b in sorted(bins)]
        heights = [bins[b] for b in sorted(bins)]
    else:
        names, heights = [str(number) for number in numbers], [counts[n] for n in numbers]
    axis.bar(range(len(names)), heights, color=_COLOUR, zorder=2, width=0.7)
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.7, max(len(names), 3) - 0.3)
    return _finished(figure, axis, label)


def _finished(figure: Figure, axis: Axes, label: str) -> str:
    axis.set_xlabel(label)
    axis.grid(visible=False, axis="x")
    axis.grid(visible=True, axis="y")
    figure.tight_layout()
    return svg_text(figure)
