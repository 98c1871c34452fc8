"""The templates of pages, and how they print values: escaped, with control characters made visible."""

import base64
import hashlib
from datetime import timedelta
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from rotation_guard.domain.control_characters import escape_control_characters
from rotation_guard.domain.remediation.links import build_secret_link
from rotation_guard.domain.timestamps import to_iso
from rotation_guard.domain.wording import capitalize_first


@cache
def load_templates() -> Environment:
    """The templates, which escape everything that they print."""
    environment = Environment(
        loader=PackageLoader(__package__ or __name__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "date": lambda value: "" if value is None else f"{value:%Y-%m-%d}",
        "minute": lambda value: "" if value is None else f"{value:%Y-%m-%d %H:%M}",
        "second": lambda value: "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}",
        "iso": lambda value: to_iso(value),
        "duration": format_duration,
        "number": lambda value: f"{value:,}".replace(",", " "),
        "plural": lambda count, one, many: one if count == 1 else many,
        "secret_link": build_secret_link,
        "capitalize_first": capitalize_first,
    }
    return environment


def _finalize(value: object) -> object:
    """What the templates print, with its control characters made visible; Jinja escapes it afterwards."""
    if value is None:
        return ""
    return escape_control_characters(value) if type(value) is str else value


def read_template(name: str) -> str:
    """The text of a style or a script."""
    return files(__package__ or __name__).joinpath("templates", name).read_text(encoding="utf-8")


def hash_source(text: str) -> str:
    """The hash of an inline script or style in a policy (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def format_duration(span: timedelta | None) -> str:
    """A duration in its two largest units, such as `2 h 5 min`; empty for None."""
    if span is None:
        return ""
    seconds = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        parts += [(number, unit)] if number or parts else []
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "0 s"
