"""Photos in, descriptions out."""
