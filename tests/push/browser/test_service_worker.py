"""The service worker in a real browser: push messages come by the debugging protocol."""

from typing import Any

import pytest

from push.browser.conftest import Site
from support.answering import answering
from support.polling import eventually

# Only a real click lets a worker open a window, so the test notes what it asks for.
CLICK = """
(async () => {
  const [notification] = await registration.getNotifications();
  const work = [], opened = [];
  clients.openWindow = async (url) => { opened.push(url); };
  const event = Object.assign(new Event("notificationclick"), {
    notification, action: %r, waitUntil: (promise) => work.push(promise),
  });
  self.dispatchEvent(event);
  await Promise.all(work);
  return opened;
})()
"""
KEPT = "registration.getNotifications().then((shown) => shown.map((one) => [one.title, one.silent]))"
PAGES = "clients.matchAll({ type: 'window', includeUncontrolled: true }).then((pages) => pages.length)"


async def shown_by(site: Site) -> dict[str, Any]:
    """The one notification that the browser shows."""
    await eventually(lambda: site.tab.displayed() > 0)
    (only,) = await site.tab.notifications()
    return only


async def ended(site: Site) -> None:
    """Wait until the browser shows no notification: the worker closes them, and the page asks."""

    async def none_left() -> bool:
        return await site.tab.notifications() == []

    await eventually(none_left)


async def told(site: Site, *bodies: dict[str, str]) -> None:
    """Wait until these were reported, and nothing else."""
    await eventually(lambda: site.told() == list(bodies))


async def test_a_push_is_shown_with_all_it_has(site: Site) -> None:
    """Words, picture, icon, buttons and the template's data reach the browser's notification."""
    await site.start_worker()
    await site.push(
        image="https://example.com/i.png",
        actions=[{"id": "track", "title": "Track it", "link": "/track"}, {"id": "later", "title": "Later"}],
        data={"order": "7", "icon": "/icon.png"},
    )
    shown = await shown_by(site)
    assert (shown["title"], shown["body"], shown["tag"]) == ("Order 7", "It is on its way", "n-7")
    assert (shown["image"], shown["icon"]) == ("https://example.com/i.png", f"{site.url}/icon.png")
    assert [(one["action"], one["title"]) for one in shown["actions"]] == [
        ("track", "Track it"),
        ("later", "Later"),
    ]
    assert shown["data"]["order"] == "7"
    assert shown["silent"] is False


async def test_what_was_displayed_is_reported(site: Site) -> None:
    """The report goes to another origin, in a form that needs no preflight."""
    await site.start_worker()
    await site.push()
    await told(site, {"event": "displayed"})
    assert "text/plain;charset=UTF-8" in site.simulator.reports.content_types


async def test_a_report_that_is_not_taken_is_repeated(site: Site) -> None:
    """A gateway that is down for a moment gets the report a little later."""
    site.simulator.reports.refusals[site.name] = 503
    await site.start_worker()
    await site.push()
    await told(site, {"event": "displayed"})


@pytest.mark.parametrize(
    ("action", "opened", "report"),
    [
        ("", "/orders/7", {"event": "clicked"}),
        ("track", "/track", {"event": "clicked", "action": "track"}),
        ("later", "/orders/7", {"event": "clicked", "action": "later"}),
    ],
)
async def test_a_click(site: Site, action: str, opened: str, report: dict[str, str]) -> None:
    """It ends the notification, opens the button's link or else the push's, and is reported."""
    await site.start_worker()
    actions = [{"id": "track", "title": "Track it", "link": "/track"}, {"id": "later", "title": "Later"}]
    await site.push(link="/orders/7", actions=actions)
    await shown_by(site)
    await told(site, {"event": "displayed"})
    assert await site.tab.in_worker(CLICK % action) == [f"{site.url}{opened}"]
    await told(site, {"event": "displayed"}, report)
    await ended(site)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://[", 7])
async def test_a_link_that_is_none_opens_the_site(site: Site, link: object) -> None:
    """Whatever stands in its place, a click runs no script and leads nowhere strange."""
    await site.start_worker()
    await site.push(link=link)
    await shown_by(site)
    assert set(await site.tab.in_worker(CLICK % "")) <= {f"{site.url}/demo/"}
    await ended(site)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Not of Tidings",
        "null",
        "[1]",
        '{"title": 7, "body": {}, "actions": "x", "badge": -1, "data": null, "tag": []}',
        '{"title": "", "actions": [null, 1, {"id": "a"}], "badge": "many", "data": 5, "engagement_url": 1}',
        '{"body": "x", "image": "http://[", "badge": 1e400, "data": {"icon": 3}, "engagement_url": "http://["}',
    ],
)
async def test_odd_messages_are_shown_too(site: Site, body: str) -> None:
    """A browser punishes a push that shows nothing, so whatever comes is shown, under the site's name."""
    await site.start_worker()
    await site.tab.push(body)
    assert (await shown_by(site))["title"] == f"{site.name}.localhost"


async def test_the_same_push_twice(site: Site) -> None:
    """A push that comes twice stands there once."""
    await site.start_worker()
    await site.push()
    await told(site, {"event": "displayed"})
    await site.push()
    await told(site, {"event": "displayed"}, {"event": "displayed"})
    assert (await shown_by(site))["renotify"] is False


async def test_many_at_once(site: Site) -> None:
    """A browser that was offline gets all its pushes at once: every one stays, and can be clicked."""
    await site.start_worker()
    orders = [f"order-{number}" for number in range(20)]
    for order in orders:
        await site.push(tag=order, notification_id=f"of-{order}")
    await eventually(lambda: len(site.told()) == len(orders))
    shown = await site.tab.notifications()
    assert sorted(one["tag"] for one in shown) == sorted(orders)
    assert {one["data"]["tidings"]["notification_id"] for one in shown} == {f"of-{one}" for one in orders}


async def test_a_picture_that_never_comes(site: Site) -> None:
    """It holds up its own push, and no other."""
    await site.start_worker()
    async with answering(None) as nobody:
        await site.push(image=f"{nobody.url}/i.png", tag="slow", notification_id="n-slow")
        await site.push()
        await told(site, {"event": "displayed"})
        assert [one["tag"] for one in await site.tab.notifications()] == ["n-7"]


async def test_a_collapse_key_replaces_and_alerts(site: Site) -> None:
    """A newer notification takes the place of the older one, and is noticed."""
    await site.start_worker()
    await site.push(tag="order-7")
    await told(site, {"event": "displayed"})
    await site.push(tag="order-7", notification_id="n-8", title="Delivered")
    await told(site, {"event": "displayed"}, {"event": "displayed"})
    shown = await shown_by(site)
    assert (shown["title"], shown["renotify"]) == ("Delivered", True)


async def test_a_silent_push_beside_an_open_page(site: Site) -> None:
    """The page in view gets the data, and the person sees nothing."""
    await site.start_worker()
    await site.tab.evaluate(
        "navigator.serviceWorker.addEventListener('message', ({ data }) => { window.heard = data; })"
    )
    await site.push(silent=True, data={"unread": "3"})
    await site.tab.until("window.heard")
    assert await site.tab.evaluate("[heard.type, heard.push.data.unread]") == ["tidings:push", "3"]
    assert await site.tab.notifications() == []
    assert site.told() == []


async def test_a_silent_push_without_a_page(site: Site) -> None:
    """Where nobody looks, the browser wants it shown: without a sound."""
    await site.start_worker()
    await site.tab.visit("about:blank")

    async def nobody_looks() -> bool:
        return bool(await site.tab.in_worker(PAGES) == 0)

    await eventually(nobody_looks)
    await site.push(silent=True)
    await told(site, {"event": "displayed"})
    assert await site.tab.in_worker(KEPT) == [["Order 7", True]]


async def test_a_notification_of_the_sites_own(site: Site) -> None:
    """The site's own notifications are left to the site's own listeners."""
    await site.start_worker()
    await site.tab.in_worker("registration.showNotification('Own')")
    assert await site.tab.in_worker(CLICK % "") == []
    assert await site.tab.in_worker(KEPT) == [["Own", False]]


async def test_a_subscription_that_the_browser_changed(site: Site) -> None:
    """The new one is told to the site's backend, with the endpoint that it replaces."""
    backend = f"{site.name}-backend"
    await site.start_worker(f"?register=/told/{backend}")
    await site.tab.in_worker(
        """
        self.dispatchEvent(Object.assign(new Event("pushsubscriptionchange"), {
          oldSubscription: { endpoint: "https://push.example.com/old" },
          newSubscription: { toJSON: () => ({ endpoint: "https://push.example.com/new" }) },
          waitUntil: () => {},
        }))
        """
    )
    changed = {
        "subscription": {"endpoint": "https://push.example.com/new"},
        "replaced": "https://push.example.com/old",
    }
    await eventually(lambda: site.told(backend) == [changed])
