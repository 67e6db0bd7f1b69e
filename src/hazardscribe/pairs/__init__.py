"""Photos and descriptions in, clean pairs out. Knows nothing of models."""
