"""The inbox for people: plain pages that need no script to be read and load nothing from elsewhere."""

import asyncio
import json
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any, Literal

from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from minijinja import Environment

from tidings.simulator.api import Emails
from tidings.simulator.emails import MailProvider, StoredEmail, read, summarise
from tidings.simulator.fcm.send import Pushes, StoredPush
from tidings.simulator.journal import Page

PER_PAGE = 100
MAX_RAW_SHOWN = 256 * 1024

View = Literal["html", "text", "raw", "headers"]
Cursor = Annotated[int | None, QueryParameter(ge=1)]

PROVIDERS: dict[MailProvider, str] = {
    "smtp": "SMTP",
    "sendgrid": "SendGrid",
    "ses": "Amazon SES",
    "postmark": "Postmark",
    "mailgun": "Mailgun",
    "resend": "Resend",
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Pages:
    """The page templates, loaded once. `smtp` is the address that an empty inbox tells people to use."""

    def __init__(self, smtp: str) -> None:
        self._environment = Environment(loader=_source, filters={"iso": datetime.isoformat})
        self._smtp = smtp

    def render(self, name: str, values: dict[str, object], *, found: bool = True) -> Response[str]:
        """A page, with everything in it escaped."""
        html = self._environment.render_template(name, smtp=self._smtp, **values)
        status = 200 if found else 404
        return Response(html, status_code=status, media_type=MediaType.HTML, headers=_HEADERS)


def page_routes() -> Router:
    """The pages and what they load."""
    return Router(path="/", route_handlers=[email_page, push_page, style, script], include_in_schema=False)


@get(["/", "/emails/{email_id:int}"])
async def email_page(
    *,
    pages: NamedDependency[Pages],
    emails: Emails,
    email_id: FromPath[int | None] = None,
    view: FromQuery[View | None] = None,
    cursor: Cursor = None,
    list_only: FromQuery[bool] = False,
) -> Response[str]:
    """The list of emails and the one selected; `list_only` is what the page asks for to stay fresh."""
    page = emails.page(limit=PER_PAGE, before=cursor)
    frame = _frame(page, dropped=emails.dropped, selected=email_id, cursor=cursor)
    frame["providers"] = PROVIDERS
    frame["rows"] = await asyncio.to_thread(lambda: [summarise(key, stored) for key, stored in page.entries])
    if list_only:
        return pages.render("email_list.html", frame)
    stored = emails.get(email_id) if email_id else None
    shown = await asyncio.to_thread(_shown_email, email_id, stored, view) if email_id and stored else {}
    return pages.render("emails.html", frame | shown, found=bool(stored or not email_id))


@get(["/pushes", "/pushes/{push_id:int}"])
async def push_page(
    *,
    pages: NamedDependency[Pages],
    pushes: Pushes,
    push_id: FromPath[int | None] = None,
    cursor: Cursor = None,
    list_only: FromQuery[bool] = False,
) -> Response[str]:
    """The list of push messages and the one selected."""
    page = pushes.page(limit=PER_PAGE, before=cursor)
    frame = _frame(page, dropped=pushes.dropped, selected=push_id, cursor=cursor)
    frame["rows"] = [_push_row(key, stored) for key, stored in page.entries]
    if list_only:
        return pages.render("push_list.html", frame)
    stored = pushes.get(push_id) if push_id else None
    shown = {"push": _push_row(push_id, stored)} if push_id and stored else {}
    return pages.render("pushes.html", frame | shown, found=bool(stored or not push_id))


@get("/assets/inbox.css")
async def style() -> Response[str]:
    """The style sheet."""
    return Response(_source("inbox.css"), media_type=MediaType.CSS)


@get("/assets/inbox.js")
async def script() -> Response[str]:
    """Keeps the list fresh."""
    return Response(_source("inbox.js"), media_type="text/javascript; charset=utf-8")


def _source(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")


def _frame(page: Page[Any], *, dropped: int, selected: int | None, cursor: int | None) -> dict[str, object]:
    return {
        "total": page.total,
        "dropped": dropped,
        "next_cursor": page.next_cursor,
        "cursor": cursor,
        "selected": selected,
    }


def _shown_email(email_id: int, stored: StoredEmail, view: View | None) -> dict[str, object]:
    email = read(email_id, stored, with_headers=True)
    return {
        "email": email,
        "view": view or ("html" if email.html else "text"),
        "raw": stored.raw[:MAX_RAW_SHOWN].decode("utf-8", "replace"),
        "raw_cut": len(stored.raw) > MAX_RAW_SHOWN,
    }


def _push_row(push_id: int, stored: StoredPush) -> dict[str, object]:
    message = stored.message
    target = stored.token or next(
        (str(message[kind]) for kind in ("topic", "condition") if message.get(kind)), ""
    )
    return {
        "id": push_id,
        "received_at": stored.received_at,
        "title": _words(message, "title") or "(no title)",
        "body": _words(message, "body"),
        "target": target,
        "project": stored.project,
        "name": stored.name,
        "json": json.dumps(message, indent=2, ensure_ascii=False),
    }


def _words(message: dict[str, Any], field: str) -> str:
    # Each provider has its own place for title and body.
    android = (message.get("android") or {}).get("notification")
    alert = ((message.get("payload") or {}).get("aps") or {}).get("alert")
    local = message.get({"title": "headings", "body": "contents"}[field]) or {}
    places = (message.get("notification"), android, alert, {field: local.get("en")}, message)
    return next((str(place[field]) for place in places if place and place.get(field)), "")
