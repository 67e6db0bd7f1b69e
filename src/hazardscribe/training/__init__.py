"""Recipe, batches, text bank and the training loop."""
