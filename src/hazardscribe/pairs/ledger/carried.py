"""Which columns of a sheet are carried along into the pairs, and under which names."""

from __future__ import annotations

from hazardscribe.pairs.columns import (
    FIRST_COLUMNS,
    LEDGER_ROLES,
    ORIGINAL_COLUMNS,
    normal_name,
    unique_names,
)
from hazardscribe.pairs.ledger.header import Header
from hazardscribe.pairs.ledger.own_books import Own
from hazardscribe.pairs.records import provenance_at

KEPT_ROLES = tuple(r for r in LEDGER_ROLES if r not in ("photo", "description", "split"))


class Carried:
    """The columns of a sheet that go into the pairs.

    Attributes:
        group: position of the column to group by, None where the sheet has none.
        provenance: positions of file, sheet and row where an import wrote them before, else empty.
        original: position of the column that names the photo's own file beside an exported
            picture, None where there is none.
        others: names of the columns without a role.
        names, positions: all that are carried along.
        own: the program wrote the sheet, so that texts and names stay as they are.
    """

    def __init__(self, header: Header, group: str, *, own: Own | None = None) -> None:
        """Lay out the columns of a header; `group` is a column or role, "" for none."""
        self.own = own is not None
        meant = {} if own is None else own.meant
        heads = {name: head for head, name in meant.items()}
        self.group = find_group(header, heads.get(group, group)) if group else None
        self.roles = [
            (role, header.roles[role][0])
            for role in KEPT_ROLES
            if role in header.roles and role != "after_photo"
        ]
        taken = {at for places in header.roles.values() for at in places}
        texts = [meant.get(name.text, name.text) for name in header.names]
        self.provenance = provenance_at(texts)
        taken |= set(self.provenance)
        # Only an export of ours has both; elsewhere the name may mean anything.
        originals = [at for at, text in enumerate(texts) if text in ORIGINAL_COLUMNS]
        self.original = originals[0] if originals and self.provenance else None
        if self.original is not None:
            taken.add(self.original)
        free = [at for at, text in enumerate(texts) if text and at not in taken]
        reserved = FIRST_COLUMNS if self.own else (*FIRST_COLUMNS, *KEPT_ROLES)
        names = unique_names([texts[at] for at in free], reserved)
        self.others = tuple(names)
        self.positions = [at for _, at in self.roles] + free
        self.names = tuple(role for role, _ in self.roles) + self.others


def find_group(header: Header, group: str) -> int | None:
    """Position of the column to group by, named as a role or as the sheet names it."""
    if group in header.roles:
        return header.roles[group][0]
    texts = [name.text for name in header.names]
    children = [name.child for name in header.names]
    normal = list(map(normal_name, texts))
    bare = normal_name(group)
    for names, wanted in ((texts, group), (children, group), (children, bare), (normal, bare)):
        if wanted in names:
            return names.index(wanted)
    return None
