"""Template source and variables in, subject, html, text and push out. Pure: no I/O, no clock."""

from tidings.rendering.faults import Fault, RenderError
from tidings.rendering.locales import pick_locale
from tidings.rendering.renderer import Renderer
from tidings.rendering.source import check_source, required_variables

__all__ = ["Fault", "RenderError", "Renderer", "check_source", "pick_locale", "required_variables"]
