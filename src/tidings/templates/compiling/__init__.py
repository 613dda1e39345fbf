"""What is done once when a template is published, and what its author is told about it."""

from tidings.templates.compiling.advice import render_warnings
from tidings.templates.compiling.content import Compiled, compile_content

__all__ = ["Compiled", "compile_content", "render_warnings"]
