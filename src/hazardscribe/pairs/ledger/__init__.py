"""From a ledger as people keep it to a folder of pairs, with every row and picture accounted for.

The way of a ledger: `grid` sees any file as sheets of text cells with pictures, `header` finds the
header and its columns, `rows` tells records from titles, totals and signatures, `placing` gives
each record its pictures, `reading` makes drafts of them, `keeping` checks and stores the photos,
`dividing` writes the split, `account` proves that nothing was lost, and `importing` puts these
together. What the program wrote itself goes another way, `own_books`, on which nothing is guessed.
"""
