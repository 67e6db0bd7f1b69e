"""Tables of any supported kind as rows of text.

What differs between a CSV from a Chinese Excel, a Parquet file, a Hugging Face dataset folder and
an export of Label Studio ends here: the rest of the program sees a `Table`, whose cells are
strings. `sources` finds the tables that a path stands for; each kind has its reader.
"""
