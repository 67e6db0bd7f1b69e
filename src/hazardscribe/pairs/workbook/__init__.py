"""Excel workbooks with their pictures: cells as a person sees them, pictures where they lie.

`openpyxl` gives floating pictures only and only when it loads everything into memory; ledgers
hold most of their photos *in* cells, in the ways of WPS and of Microsoft 365. This package reads
a sheet's XML once, row by row, and follows each kind of picture to its bytes. It needs no library
beyond Python's own (and Pillow for the EXIF of pictures that are turned in the sheet), and it knows
nothing of headers, roles and descriptions.
"""

from hazardscribe.pairs.workbook.items import CellRange, Picture, Row, Sheet
from hazardscribe.pairs.workbook.workbook import Workbook, open_workbook

__all__ = ["CellRange", "Picture", "Row", "Sheet", "Workbook", "open_workbook"]
