"""What all pages share: templates, looks and scripts, put into the file whole."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deltatrain.reports import palette

_STEPS = 8  # of the colours that stand for numbers


def environment() -> Environment:
    """Return what fills the templates: every value escaped, a missing one an error."""
    return Environment(
        loader=PackageLoader("deltatrain.reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> Markup:
    """Return the style sheet, with the palettes as variables."""
    return Markup(f"{_colours()}{_text('style.css')}")


def _colours() -> str:
    """Return the palettes as variables of the style sheet: light, and dark for screens or readers that ask for it."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in colours.items()) for colours in (palette.LIGHT, palette.DARK)
    )
    kinds = [f".{kind}{{--colour:var(--{kind})}}" for kind in palette.LIGHT if kind.startswith("line-")]
    kinds += [f".{cause}{{--colour:var(--cause-{cause})}}" for cause in palette.CAUSE_LABELS]
    kinds += [f".{kind}{{--colour:var(--{kind})}}" for kind in ("delta", "dense")]
    kinds += [
        f".ramp-{step}{{--colour:color-mix(in oklab,var(--seq-high) {100 * step // (_STEPS - 1)}%,var(--seq-low))}}"
        for step in range(_STEPS)
    ]
    return (
        f":root{{{light}color-scheme:light}}"
        f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}color-scheme:dark}}}}"
        f":root[data-theme=dark]{{{dark}color-scheme:dark}}" + "".join(kinds)
    )


def script(names: tuple[str, ...]) -> Markup:
    """Return scripts by name, joined to one module in this order: one may use what earlier ones define."""
    return Markup("\n").join(Markup(_text(f"scripts/{name}.js")) for name in names)


def _text(name: str) -> str:
    return resources.files("deltatrain.reports.page").joinpath(name).read_text(encoding="utf-8")
