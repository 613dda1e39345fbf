"""Email providers' HTTP APIs, as their documents describe them. Mail that they take lands in the inbox."""

from litestar import Router

from tidings.simulator.mail_apis.exchange import MailDesk
from tidings.simulator.mail_apis.mailgun import mailgun_routes
from tidings.simulator.mail_apis.postmark import postmark_routes
from tidings.simulator.mail_apis.resend import IdempotencyKeys, resend_routes
from tidings.simulator.mail_apis.sendgrid import sendgrid_routes
from tidings.simulator.mail_apis.ses import ses_routes

__all__ = ["IdempotencyKeys", "MailDesk", "mail_api_routes"]


def mail_api_routes() -> list[Router]:
    """Every provider's API, each below its name."""
    return [sendgrid_routes(), ses_routes(), postmark_routes(), mailgun_routes(), resend_routes()]
