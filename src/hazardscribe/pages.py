"""What all our HTML pages share: photos and plots within the page, one look, no network.

A page is one file that can be mailed: photos are scaled down and lose their metadata, plots are
SVG text drawn without a display, and a policy in the page's head forbids any request. Plot labels
are outlines; Chinese ones are used only where this machine has a font for them, otherwise English
ones, never empty boxes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from hazardscribe.errors import InputError
from hazardscribe.pairs.photo import load_photo

THUMBNAIL = 320  # pixels, longest side

_CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
)


def render_page(template: str, values: Mapping[str, Any]) -> str:
    """Fill a Jinja template, escaping all values; `style` is the pages' common CSS."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (resources.files(__package__) / "pages.css").read_text(encoding="utf-8")
    return environment.from_string(template).render(style=style, **values)


def thumbnail(photo: Path, side: int = THUMBNAIL) -> str | None:
    """The photo as a small JPEG data URL; None when it cannot be read."""
    try:
        image = load_photo(photo, bound=side)
    except (InputError, OSError):
        return None  # the page shows a placeholder: one bad photo must not cost the report
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80, optimize=True)
    return data_url("image/jpeg", buffer.getvalue())


def data_url(kind: str, content: bytes) -> str:
    """Content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def plot_language(language: str) -> tuple[str, list[str]]:
    """The language that labels can be drawn in, and the fonts for it."""
    if language == "zh":
        from matplotlib import font_manager

        installed = {font.name for font in font_manager.fontManager.ttflist}
        for name in _CJK_FONTS:
            if name in installed:
                return "zh", [name, "DejaVu Sans"]
    return "en", ["DejaVu Sans"]


def plot_style(fonts: list[str]) -> Any:
    """Matplotlib settings of the house, for a `with` block."""
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "font.family": fonts,
            "font.size": 9,
            "svg.fonttype": "path",
            "svg.hashsalt": "hazardscribe",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.spines.left": False,
            "axes.edgecolor": "#9aa5b1",
            "axes.grid": True,
            "axes.grid.axis": "x",
            "grid.color": "#e6eaef",
            "ytick.left": False,
            "legend.frameon": False,
            "text.color": "#26303b",
            "axes.labelcolor": "#26303b",
            "xtick.color": "#52606d",
            "ytick.color": "#26303b",
        }
    )


def svg_text(figure: Any) -> str:
    """A matplotlib figure as SVG; equal figures give equal text."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
