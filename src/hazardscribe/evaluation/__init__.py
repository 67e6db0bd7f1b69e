"""Scores, baselines and the report: how good the descriptions are, told honestly."""
