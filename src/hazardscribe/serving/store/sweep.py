"""What a crash left of the photos is removed; what only a person can judge is told in the log."""

from __future__ import annotations

import logging
import shutil

from sqlalchemy import select

from hazardscribe.serving.store.database import Database
from hazardscribe.serving.store.photos import GRACE, PhotoFolder
from hazardscribe.serving.store.tables import photos

log = logging.getLogger(__name__)


def sweep(database: Database, folder: PhotoFolder, grace: float = GRACE) -> int:
    """Remove what a crash left: photos of unfinished confirmations and deletions, drafts, exports;
    each only once it is older than `grace` seconds.

    Photos that the database does not know stay, and so do records without their photos: that is
    how a restored database and another state of the photos look. The log tells of them.

    Returns:
        How many photos, drafts and exports were removed.
    """
    removed = 0
    for path in folder.scraps(grace):
        try:
            if path.is_dir():  # of an export that was cut off
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            removed += 1
        except OSError as error:
            log.warning("%s: was left half-written and cannot be removed: %s", path, error)
    unfinished = folder.open_photos(grace)
    there = folder.ids()
    with database.read() as connection:  # after the marks: a record may just be made
        named = set(connection.execute(select(photos.c.id)).scalars())
    folder.settle([one for one in unfinished if one in named])
    left = [one for one in unfinished if one not in named]
    folder.remove(left)
    removed += len(left)
    if removed:
        log.info("%d photos, drafts or exports that were left unfinished were removed", removed)
    unknown = [one for one in there - named - set(left) if folder.age(one) >= grace]
    if unknown:
        log.warning(
            "%s: %d photos belong to no record that the database knows. They are kept. Was an "
            "older database restored beside them? See Restore in docs/operations.md",
            *(folder.folder, len(unknown)),
        )
    if missing := [one for one in named - there if folder.age(one) < 0]:
        log.error(
            "%s: the files of %d photos in the ledger are missing, such as %s; bring them back "
            "from the backup",
            *(folder.folder, len(missing), folder.path(missing[0]).name),
        )
    return removed
