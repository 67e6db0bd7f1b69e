"""hazardscribe: learns from a company's own hazard photos to describe new ones."""

__version__ = "0.1.0"
