"""Components of the page: HTML that the server writes, with behaviour from `static/`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors_clac import ClacInputError
from .markup import notes, tag, text
from .searches import Found

# Read on import: no telemetry.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
try:
    import gradio as gr
except ImportError as error:
    raise ClacInputError(
        "clac app needs the package gradio; install it with `pip install clac-crystals[app]`"
    ) from error

STATIC, STATIC_ADDRESS = Path(__file__).parent / "static", "clac-static"
_SCRIPTS = "".join(f'<script src="{STATIC_ADDRESS}/{name}"></script>' for name in ("app.js", "viewer.js", "map.js"))
# gradio accepts the events whose names it finds in the script, in quotes.
_EVENTS = "'choose' 'pick' 'compare' 'like' 'cif' 'resize' 'element' 'range'"
_START = """
/* {events} */
const start = () => window.clac?.%s
  ? window.clac.%s({element, trigger, props, watch})
  : setTimeout(start, 20);
start();
"""


# Choices of the viewer; `static/viewer.js` fills it.
_CHOICES = {"bonds": True, "polyhedra": False, "cell": True, "labels": False}
VIEWER = (
    '<div class="stage" tabindex="0" role="img" aria-label="Crystal structure in 3D. Arrow keys turn it, plus and '
    'minus zoom."></div><ul class="legend" aria-label="Elements"></ul><div class="tools">'
    '<label>Cells <select><option value="1">1×1×1</option><option value="2">2×2×2</option>'
    '<option value="3">3×3×3</option></select></label>'
    + "".join(
        f'<label><input type="checkbox" name="{name}"{" checked" if on else ""}> {name.capitalize()}</label>'
        for name, on in _CHOICES.items()
    )
    + '<button type="button" class="plain reset">Reset</button>'
    + '<button type="button" class="plain png">PNG</button></div>'
)


MAP = (
    '<div class="tools"><label>Colour <select><option value="similarity">similarity to the search</option></select>'
    '</label><button type="button" class="plain reset">Reset</button><span class="map-legend"></span></div>'
    '<canvas role="img" aria-label="Map of all crystals; rings are results, which the table lists."></canvas>'
    '<p class="note"><span class="map-name" aria-live="polite"></span></p>'
    '<p class="note">Near crystals are similar: <span class="map-method"></span>. Drag to move, turn the wheel to '
    "zoom, click a point to open its crystal.</p>"
)


def theme() -> Any:
    """Return the theme: the fonts of the user's system, so that none is loaded, and colours of enough contrast."""
    fonts: dict[str, Any] = {
        "font": ["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
        "font_mono": ["ui-monospace", "monospace"],
    }
    subdued = {
        f"{name}{scheme}": colour
        for name in (
            "body_text_color_subdued",
            "block_label_text_color",
            "block_title_text_color",
            "block_info_text_color",
            "input_placeholder_color",
            "checkbox_label_text_color",
        )
        for scheme, colour in (("", "*neutral_600"), ("_dark", "*neutral_300"))
    }
    filled = {
        f"button_primary_{part}{scheme}": colour
        for part, colour in (
            ("background_fill", "*primary_700"),
            ("background_fill_hover", "*primary_800"),
            ("text_color", "white"),
        )
        for scheme in ("", "_dark")
    }
    boxes = {"checkbox_border_color": "*neutral_500", "checkbox_border_color_dark": "*neutral_400"}
    return gr.themes.Default(primary_hue="indigo", **fonts).set(**subdued, **filled, **boxes)


def live_html(behaviour: str, value: str = "", template: str = "${value}", **options: Any) -> Any:
    """
    Make a component whose HTML the server writes and whose behaviour is a function of `static/app.js`.

    Args:
        behaviour: Name of that function.
        value: The HTML, or the data that the behaviour reads.
        template: Fixed HTML, or `${value}` for the value.
        options: Further options of `gr.HTML`.
    """
    # `${value}` is inserted as it is; {{value}} would be read as a template again.
    return gr.HTML(
        value,
        html_template=template,
        head=_SCRIPTS,
        js_on_load=_START.replace("{events}", _EVENTS) % (behaviour, behaviour),
        apply_default_css=False,
        elem_classes="clac-page",
        **options,
    )


def share_html(found: Found) -> str:
    """Write a search as a link, as a command and as Python, each with a button that copies it."""
    request = found.request
    parts = {"Command": request.command(), "Python": request.python(found.of_file)}
    copy = tag("button", "Copy", type="button", class_="copy")
    lines = "" if found.of_file else tag("div", tag("span", "Link") + tag("code") + copy, data_link=request.to_link())
    for label, content in parts.items():
        lines += tag("div", tag("span", label) + tag("code", text(content)) + copy)
    reasons = (
        ["No link carries a dropped structure; command and program read it from your disk."] if found.of_file else []
    )
    if found.of_own:
        reasons.append("These search the crystals of the index; index your own with clac index, and add --index.")
    return notes(reasons) + tag("div", lines, class_="share")


__all__ = ["MAP", "STATIC", "STATIC_ADDRESS", "VIEWER", "gr", "live_html", "share_html", "theme"]
