"""The demo page in a real browser, with the simulator in the place of a vendor."""

import json
from typing import Any

from litestar import Litestar

from push.browser.conftest import Site
from support.polling import eventually
from support.ports import free_port
from support.servers import client_of
from tidings.kit.problems import render_problem
from tidings.simulator.demo import demo_routes

PUSH = {"title": "Order 7", "body": "It is on its way", "notification_id": "n-7", "tag": "n-7"}


async def text(site: Site, selector: str) -> str:
    """What an element of the page says."""
    found: str = await site.tab.evaluate(f"document.querySelector({selector!r}).innerText")
    return found


async def click(site: Site, button: str) -> None:
    """Click on a button, once the page is ready for it."""
    found = f"document.getElementById({button!r})"
    await site.tab.until(f"!{found}.disabled")
    await site.tab.evaluate(f"{found}.click()")


async def subscribe(site: Site) -> dict[str, Any]:
    """Subscribe at the simulator, and give the body that the page shows for registering."""
    await click(site, "here")
    await site.tab.until("!document.getElementById('registration').hidden")
    command = await text(site, "#command")
    body: dict[str, Any] = json.loads(command.partition("-d '")[2].removesuffix("'"))
    return body


async def test_from_subscription_to_report(site: Site) -> None:
    """What the simulator takes for the subscription is shown by the browser, listed, and reported."""
    body = await subscribe(site)
    assert (body["provider"], body["platform"]) == ("webpush", "web")
    assert await text(site, "#permission") == "granted"
    site.take(body["subscription"]["endpoint"], {**PUSH, "engagement_url": site.report_url})
    await eventually(lambda: site.told() == [{"event": "displayed"}])
    await site.tab.until("document.querySelector('td.displayed')?.innerText === 'reported'")
    assert await text(site, "td.push") == "Order 7: It is on its way"
    assert [shown["title"] for shown in await site.tab.notifications()] == ["Order 7"]


async def test_a_report_that_nobody_takes(site: Site) -> None:
    """The page says so."""
    site.simulator.reports.refusals[site.name] = 404
    body = await subscribe(site)
    site.take(body["subscription"]["endpoint"], {**PUSH, "engagement_url": site.report_url})
    await site.tab.until("document.querySelector('td.displayed')?.innerText === 'not taken'")


async def test_unsubscribing(site: Site) -> None:
    """The simulator's subscription ends, and the page is as it was."""
    body = await subscribe(site)
    await click(site, "stop")
    await site.tab.until("document.getElementById('registration').hidden")
    assert site.has_ended(body["subscription"]["endpoint"])
    assert await text(site, "#where") == "none"


async def test_without_a_push_service() -> None:
    """What the page needs from the push service is refused with what to set, or where nobody answers."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    for push_url, words in ((None, "TIDINGS_SIMULATOR_PUSH_URL"), (nowhere, nowhere)):
        app = Litestar(demo_routes(push_url), exception_handlers={Exception: render_problem})
        async with client_of(app) as http:
            assert (await http.get("/demo/")).status_code == 200
            answer = await http.get("/demo/sw.js")
        assert (answer.status_code, words in answer.text) == (503, True)
