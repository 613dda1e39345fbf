"""Pages that a signed link opens to whoever holds it: there is no login, and so no cookie to be misused."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from tidings.client.links import PREFERENCES, UNSUBSCRIBE
from tidings.contracts.codes import Channel
from tidings.kit.errors import Gone, NotFound
from tidings.kit.problems import render_problem
from tidings.kit.requests import UNLOGGED_PATH
from tidings.kit.signed_links import InvalidLink
from tidings.users.unsubscribe.desk import Desk, Visit
from tidings.users.unsubscribe.pages import page
from tidings.users.unsubscribe.switches import is_on, submitted, switch_id
from tidings.users.unsubscribe.words import Language, Words, language_for

MAX_FORM_BYTES = 64 * 1024

Serving = NamedDependency[Desk]
PageRequest = Request[Any, Any, Any]


@get("/unsubscribe/{token:str}")
async def ask(token: FromPath[str], request: PageRequest, desk: Serving) -> Response[str]:
    """Ask whether to stop. Changes nothing: mail scanners open every link."""
    visit = await desk.open(UNSUBSCRIBE, token)
    return _unsubscribe_page(request, visit, desk)


@post("/unsubscribe/{token:str}")
async def stop(token: FromPath[str], request: PageRequest, desk: Serving) -> Response[str]:
    """Stop at once: for the page's button, and for mail programs (RFC 8058), whose form may be multipart."""
    form = await request.form()
    visit = await desk.open(UNSUBSCRIBE, token)
    after = await desk.stop_email(visit, one_click=form.get("List-Unsubscribe") == "One-Click")
    return _unsubscribe_page(request, after, desk, 409 if after.always_gets else 200)


@get("/preferences/{token:str}")
async def show_preferences(token: FromPath[str], request: PageRequest, desk: Serving) -> Response[str]:
    """The preference centre."""
    return _preferences_page(request, await desk.open(PREFERENCES, token), saved=False)


@post("/preferences/{token:str}")
async def save_preferences(token: FromPath[str], request: PageRequest, desk: Serving) -> Response[str]:
    """The preference centre, saved."""
    form = await request.form()
    visit = await desk.open(PREFERENCES, token)
    return _preferences_page(request, await desk.save(visit, submitted(form)), saved=True)


def _unsubscribe_page(request: PageRequest, visit: Visit, desk: Desk, status: int = 200) -> Response[str]:
    language = _language(request, visit.user.locale)
    heading, text = _said(visit, language.words)
    values = {
        "heading": heading,
        "text": text,
        "category": visit.category,
        "asks": visit.gets_email and not visit.always_gets,
        # Relative, so that it is also right where a proxy serves the gateway below a path of its own.
        "preferences_url": f"..{desk.preferences_path(visit)}",
    }
    return page("unsubscribe.html", language, values, status=status)


def _said(visit: Visit, words: Words) -> tuple[str, str]:
    """The heading and the sentence below it."""
    if visit.always_gets:
        return words.always_sent, words.always_sent_explained
    match visit.gets_email, visit.category:
        case True, None:
            return words.stop_email, words.email_explained
        case True, _:
            return words.stop_category, words.category_explained
        case False, None:
            return words.stopped, words.email_stopped
        case _:
            return words.stopped, words.category_stopped


def _preferences_page(request: PageRequest, visit: Visit, *, saved: bool) -> Response[str]:
    chosen = visit.preferences
    values = {
        "saved": saved,
        "channels": [{"name": channel, "on": getattr(chosen, channel)} for channel in Channel],
        "categories": [
            {
                "category": category,
                "switches": [
                    {
                        "id": switch_id(category, channel),
                        "name": channel,
                        "on": is_on(chosen, category, channel),
                    }
                    for channel in Channel
                ],
            }
            for category in visit.categories
        ],
    }
    return page("preferences.html", _language(request, visit.user.locale), values)


def _broken(request: PageRequest, _: InvalidLink) -> Response[str]:
    language = _language(request)
    values = {"heading": language.words.broken, "text": language.words.broken_explained}
    return page("notice.html", language, values, status=404)


def _gone(request: PageRequest, _: Exception) -> Response[str]:
    language = _language(request)
    return page(
        "notice.html", language, {"heading": language.words.gone, "text": language.words.gone_explained}
    )


def _failed(request: PageRequest, error: Exception) -> Response[str]:
    answer, language = render_problem(request, error), _language(request)
    values = {"heading": language.words.failed, "text": language.words.failed_explained}
    return page("notice.html", language, values, status=answer.status_code or 500, headers=answer.headers)


def _language(request: PageRequest, locale: str | None = None) -> Language:
    return language_for(locale, request.headers.get("accept-language", ""))


ROUTES: list[ControllerRouterHandler] = [
    Router(
        opt={UNLOGGED_PATH: True},
        path="/",
        route_handlers=[ask, stop, show_preferences, save_preferences],
        exception_handlers={InvalidLink: _broken, NotFound: _gone, Gone: _gone, Exception: _failed},
        request_max_body_size=MAX_FORM_BYTES,
        include_in_schema=False,
    )
]
