"""The page that `hazardscribe similar` writes: the photo asked about, and past cases like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hazardscribe.describing.describer import Photo
from hazardscribe.describing.similar import PastCase
from hazardscribe.errors import InputError
from hazardscribe.files import check_writable, write_whole
from hazardscribe.names import readable
from hazardscribe.pages import data_url, render_page, thumbnail
from hazardscribe.pairs.checking.personal import mask_personal
from hazardscribe.pairs.columns import CHINESE_HEADERS

_WORDS = {
    "en": {
        "lang": "en",
        "title": "Similar past cases",
        "asked": "This photo",
        "like": "similarity",
        "row": "row {source} (below the header)",
    },
    "zh": {
        "lang": "zh-CN",
        "title": "相似的历史隐患",
        "asked": "本张照片",
        "like": "相似度",
        "row": "来源：{source}（表头下行号）",
    },
}
_PAGE = """<!DOCTYPE html>
<html lang="{{ words.lang }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ words.title }}</title>
<style>
{{ style | safe }}
.cases { display:grid; grid-template-columns:repeat(auto-fill,minmax(240px,1fr)); gap:18px; }
.cases img,.asked img { width:100%; max-width:320px; border-radius:6px; display:block; }
.cases p { margin:6px 0 0; }
</style>
</head>
<body>
<main>
<h1>{{ words.title }}</h1>
<section class="asked"><h2>{{ words.asked }}: {{ name }}</h2>{% if photo %}<img src="{{ photo }}" alt="{{ name }}">{% endif %}</section>
<section class="cases">
{% for case, picture in cases %}
<article>{% if picture %}<img src="{{ picture }}" alt="{{ case.photo }}">{% endif %}
{% for text in case.texts %}<p>{{ text }}</p>{% endfor %}
{% for name, value in case.facts.items() %}<p class="note">{{ name }}: {{ value }}</p>{% endfor %}
{% if case.source %}<p class="note">{{ words.row.format(source=case.source) }}</p>{% endif %}
<p class="note">{{ words.like }} {{ "%.2f" | format(case.similarity) }} · {{ case.photo }}</p></article>
{% endfor %}
</section>
</main>
</body>
</html>
"""  # noqa: E501


def check_page(out: Path) -> None:
    """Refuse, before any work, a page that cannot be written.

    Raises:
        InputError: if the ending is not .html, or its folder cannot be written.
    """
    if out.suffix.lower() != ".html" or out.is_dir():
        raise InputError(f"--out {out}: name a file that ends in .html")
    check_writable(out.parent)


def write_page(out: Path, photo: Photo, cases: Sequence[PastCase], language: str) -> None:
    """One self-contained page with the photo and the cases found; photos by file name only."""
    asked: str | None
    if isinstance(photo, bytes):
        asked, name = data_url("image/jpeg", photo), "-"
    else:
        asked, name = thumbnail(Path(photo)), readable(Path(photo).name)
    names = CHINESE_HEADERS if language == "zh" else {}
    shown = [
        (
            replace(
                case,
                photo=readable(Path(case.photo).name),
                texts=tuple(map(mask_personal, case.texts)),
                facts={names.get(name, name): mask_personal(f) for name, f in case.facts.items()},
            ),
            thumbnail(Path(case.photo)),
        )
        for case in cases
    ]
    page = render_page(
        _PAGE, {"words": _WORDS[language], "name": name, "photo": asked, "cases": shown}
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, lambda draft: draft.write_text(page, encoding="utf-8"))
