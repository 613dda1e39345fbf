"""The HTTP side of the template service."""

from litestar.types import ControllerRouterHandler

from tidings.templates.api import drafts, history, partials, rendering, templates

ROUTES: list[ControllerRouterHandler] = [
    *templates.ROUTES,
    *drafts.ROUTES,
    *history.ROUTES,
    *rendering.ROUTES,
    *partials.ROUTES,
]

TRIAL_ROUTES: list[ControllerRouterHandler] = [rendering.send_trial]
"""For where there is an email service to send a test with."""

__all__ = ["ROUTES", "TRIAL_ROUTES"]
