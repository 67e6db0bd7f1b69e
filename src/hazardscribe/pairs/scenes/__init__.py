"""Made-up hazard scenes with their ledger: data for the demo and the tests.

Where no company photos may be used (a first try, continuous integration, a bug report), these
scenes stand in: sixteen kinds of hazard, each with its safe twin, drawn in varying settings and
described in Chinese and English. They test that a model learns to look; they say nothing about
real sites.

    render_scenes(Path("scenes"))   # -> scenes/pairs.csv, scenes/photos/*.jpg
"""

from hazardscribe.pairs.scenes.catalogue import COLOURS, KINDS, PLACES
from hazardscribe.pairs.scenes.held_out import held_out
from hazardscribe.pairs.scenes.writing import render_scenes

__all__ = [
    "COLOURS",
    "KINDS",
    "PLACES",
    "held_out",
    "render_scenes",
]
