"""The ledger on disk: what people confirmed, what the model had said, and the photos."""
