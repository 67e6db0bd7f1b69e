"""Compose, load and save the model; first and second text sequence. Knows nothing of training."""
