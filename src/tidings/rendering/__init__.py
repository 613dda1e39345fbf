"""Template source and variables in, subject, html, text and push out. Pure: no I/O, no clock."""

from tidings.rendering.faults import Fault, RenderError
from tidings.rendering.locales import pick_locale
from tidings.rendering.renderer import Renderer
from tidings.rendering.source import (
    PROVIDED,
    check_partial,
    check_source,
    mentioned_variables,
    required_variables,
)
from tidings.rendering.variables import check_schema, check_variables

__all__ = [
    "PROVIDED",
    "Fault",
    "RenderError",
    "Renderer",
    "check_partial",
    "check_schema",
    "check_source",
    "check_variables",
    "mentioned_variables",
    "pick_locale",
    "required_variables",
]
