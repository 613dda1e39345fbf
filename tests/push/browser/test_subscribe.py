"""The subscribe script in a real browser, with the simulator in the place of its vendor."""

from typing import Any

import pytest

from push.browser.conftest import WORKER, Site

# In the place of the browser's connection to its vendor.
VENDOR = """
(() => {
  let present = null;
  const path = "/api/webpush/subscriptions";
  PushManager.prototype.getSubscription = async () => present;
  PushManager.prototype.subscribe = async ({ applicationServerKey, userVisibleOnly }) => {
    if (window.vendorIsDown) throw new DOMException("push service error", "AbortError");
    if (!userVisibleOnly) throw new DOMException("not visible", "NotAllowedError");
    const base64 = btoa(String.fromCharCode(...applicationServerKey));
    const key = base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const body = JSON.stringify({ applicationServerKey: key });
    const headers = { "Content-Type": "application/json" };
    const subscription = await (await fetch(path, { method: "POST", headers, body })).json();
    present = {
      endpoint: subscription.endpoint,
      options: { applicationServerKey: applicationServerKey.buffer },
      toJSON: () => subscription,
      unsubscribe: async () => {
        await fetch(`${path}/${subscription.endpoint.split("/").pop()}`, { method: "DELETE" });
        present = null;
      },
    };
    return present;
  };
})()
"""
SUBSCRIBE = """
(async () => {
  const { subscribe } = await import("%(script)s");
  const registered = [];
  const register = async (subscription, replaced) => { registered.push([subscription, replaced]); };
  try {
    await subscribe({ publicKeyUrl: "%(key)s", serviceWorkerUrl: "%(worker)s", register });
  } catch (error) {
    return `${error.name} ${error.code}`;
  }
  return registered;
})()
"""
UNSUBSCRIBE = """
(async () => {
  const { unsubscribe } = await import("%s");
  const told = [];
  const unregister = async (endpoint) => { told.push(endpoint); };
  return [await unsubscribe({ serviceWorkerUrl: "%s", unregister }), told];
})()
"""


@pytest.fixture(autouse=True)
async def vendor(site: Site) -> None:
    """A vendor that the browser reaches, on a page that loads the script from the push service."""
    await site.visit_the_shop()
    await site.tab.evaluate(VENDOR)


async def subscribe(site: Site, push_url: str, **changed: str) -> Any:  # noqa: ANN401 - what the page saw
    """What was registered, or the error's code."""
    addresses = {
        "script": f"{push_url}/webpush/subscribe.js",
        "key": f"{push_url}/webpush/public-key",
        "worker": WORKER,
        **changed,
    }
    return await site.tab.evaluate(SUBSCRIBE % addresses)


async def test_a_browser_subscribes(site: Site) -> None:
    """The script and the key come from the push service's own origin; what is registered is complete."""
    ((subscription, replaced),) = await subscribe(site, site.simulator.push_url)
    assert set(subscription) == {"endpoint", "keys"}
    assert set(subscription["keys"]) == {"p256dh", "auth"}
    assert replaced is None


async def test_subscribing_again_keeps_the_subscription(site: Site) -> None:
    """Every visit registers the same one again, so that a backend that lost it has it back."""
    first = await subscribe(site, site.simulator.push_url)
    assert await subscribe(site, site.simulator.push_url) == first


async def test_another_key_makes_a_new_subscription(site: Site, other_push_url: str) -> None:
    """What was made with the old key is ended, and the backend learns which one it was."""
    ((first, _),) = await subscribe(site, site.simulator.push_url)
    ((second, replaced),) = await subscribe(site, other_push_url)
    assert replaced == first["endpoint"] != second["endpoint"]
    assert site.has_ended(first["endpoint"])
    assert not site.has_ended(second["endpoint"])


async def test_unsubscribing(site: Site) -> None:
    """The subscription ends, the backend is told once, and doing it again does nothing."""
    ((subscription, _),) = await subscribe(site, site.simulator.push_url)
    script = UNSUBSCRIBE % (f"{site.simulator.push_url}/webpush/subscribe.js", WORKER)
    endpoint = subscription["endpoint"]
    assert await site.tab.evaluate(script) == [endpoint, [endpoint]]
    assert site.has_ended(endpoint)
    assert await site.tab.evaluate(script) == [None, []]


@pytest.mark.parametrize(
    ("prepared", "changed", "code"),
    [
        ("Notification.requestPermission = async () => 'denied'", {}, "denied"),
        ("Notification.requestPermission = async () => 'default'", {}, "dismissed"),
        ("delete window.PushManager", {}, "unsupported"),
        ("window.vendorIsDown = true", {}, "push_service_failed"),
        ("", {"key": "/demo/nothing"}, "public_key_failed"),
        ("", {"key": "/demo/demo.css"}, "public_key_failed"),
        ("", {"worker": "/demo/nothing.js"}, "worker_failed"),
    ],
)
async def test_what_goes_wrong_has_a_code(
    site: Site, prepared: str, changed: dict[str, str], code: str
) -> None:
    """A page can tell the person's no from a fault, and one fault from another."""
    await site.tab.evaluate(f"{prepared}; undefined")
    assert await subscribe(site, site.simulator.push_url, **changed) == f"SubscribeError {code}"
