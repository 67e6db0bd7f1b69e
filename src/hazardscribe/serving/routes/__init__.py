"""Routes of the HTTP application, one file for each part of it."""
