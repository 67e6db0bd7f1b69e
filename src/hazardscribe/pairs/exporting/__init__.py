"""Pairs and descriptions out: ledgers for Excel, tasks for Label Studio."""
