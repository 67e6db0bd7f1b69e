"""What a safety department uses every day: the API, the inspectors' page and the ledger."""
