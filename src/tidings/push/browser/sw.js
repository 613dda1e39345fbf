/*
 * The service worker of Tidings' Web Push: it shows what arrives, opens its link on a click, and reports
 * both. Serve it from your site's own origin, or load it into a worker of your own:
 *
 *     importScripts("https://push.example.com/webpush/sw.js");
 *
 * Open pages of the site hear of it in messages from navigator.serviceWorker:
 *
 *     { type: "tidings:push", push }                                    a push arrived
 *     { type: "tidings:reported", notification_id, event, reported }    "displayed" or "clicked"
 *     { type: "tidings:subscription", subscription, replaced }          the browser changed its subscription
 *
 * With ?register=/path behind the worker's address a changed subscription is posted there, with cookies.
 */
"use strict";

(() => {
  const PAUSES_MS = [0, 2_000, 10_000];
  const WORTH_REPEATING = new Set([408, 425, 429, 500, 502, 503, 504]);
  const LONGEST_TURN_MS = 2_000;
  let turn = Promise.resolve();

  self.addEventListener("push", (event) => event.waitUntil(receive(event.data)));

  self.addEventListener("notificationclick", (event) => {
    const shown = event.notification.data?.tidings;
    if (!shown) return; // the site's own
    event.notification.close();
    const link = new Map(shown.links).get(event.action) ?? shown.link;
    event.waitUntil(Promise.all([open(link), report(shown, "clicked", event.action)]));
  });

  self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));

  async function receive(data) {
    const push = read(data);
    await tell({ type: "tidings:push", push });
    await setBadge(push.badge);
    // Browsers let no push pass unseen: they show words of their own, or end the subscription. Only where
    // the site is in view already may a silent one stay silent.
    if (push.silent === true && (await isInView())) return;
    const shown = remembered(push);
    if (await inTurn(() => show(push, shown))) await report(shown, "displayed");
  }

  /**
   * One after the other: Chromium forgets a notification that is being shown while getNotifications() reads,
   * and a browser that was offline gets all its pushes at once. Nobody waits long for another's picture.
   */
  async function inTurn(work) {
    const before = turn;
    let end;
    turn = new Promise((resolve) => { end = resolve; });
    await before;
    setTimeout(end, LONGEST_TURN_MS);
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** The message as an object, whatever was sent. */
  function read(data) {
    let text = "";
    try {
      text = data?.text() ?? "";
      const push = JSON.parse(text);
      if (push !== null && typeof push === "object" && !Array.isArray(push)) return push;
    } catch {
      // No JSON, so it is not Tidings': shown as it is.
    }
    return { body: text };
  }

  /** What the click needs to know, kept in the notification: the worker may be ended in between. */
  function remembered(push) {
    const linked = actionsOf(push).filter((action) => words(action.link));
    return {
      notification_id: words(push.notification_id),
      engagement_url: words(push.engagement_url),
      link: words(push.link),
      links: linked.map((action) => [action.id, action.link]),
    };
  }

  async function show(push, shown) {
    const tag = words(push.tag) ?? shown.notification_id;
    try {
      await self.registration.showNotification(words(push.title) ?? self.location.hostname, {
        body: words(push.body),
        image: words(push.image),
        icon: words(push.data?.icon),
        silent: push.silent === true,
        actions: actionsOf(push).map(({ id, title }) => ({ action: id, title })),
        data: { ...(push.data ?? {}), tidings: shown },
        ...(tag && { tag, renotify: await isNews(tag, shown.notification_id) }),
      });
      return true;
    } catch {
      return false; // the permission was taken back
    }
  }

  /** Whether what takes another's place has to alert again: yes, unless it is the same one, come twice. */
  async function isNews(tag, notificationId) {
    if (tag === notificationId) return false;
    const present = await self.registration.getNotifications({ tag });
    return present.every((one) => one.data?.tidings?.notification_id !== notificationId);
  }

  async function open(link) {
    const target = address(link);
    try {
      const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
      const page = link ? pages.find((one) => one.url === target) : pages[0];
      await (page ? page.focus() : self.clients.openWindow(target));
    } catch {
      // The browser does not allow it just now; the click is reported all the same.
    }
  }

  function address(link) {
    try {
      const url = new URL(link, self.registration.scope);
      if (url.protocol === "https:" || url.protocol === "http:") return url.href;
    } catch {
      // It is no address.
    }
    return self.registration.scope;
  }

  async function report(shown, event, action) {
    if (!shown.engagement_url) return;
    const body = JSON.stringify(action ? { event, action } : { event });
    const reported = await post(shown.engagement_url, body);
    await tell({ type: "tidings:reported", notification_id: shown.notification_id, event, reported });
  }

  async function post(url, body) {
    for (const pause of PAUSES_MS) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      try {
        // Without a content type of its own it is a simple request: no preflight is needed.
        const answer = await fetch(url, { method: "POST", body, keepalive: true, credentials: "omit" });
        if (answer.ok) return true;
        if (!WORTH_REPEATING.has(answer.status)) return false;
      } catch {
        // No network, or nobody who answers.
      }
    }
    return false;
  }

  async function renew(event) {
    const replaced = event.oldSubscription?.endpoint ?? null;
    const key = event.oldSubscription?.options?.applicationServerKey;
    try {
      const subscription = event.newSubscription ?? (key && (await resubscribe(key)));
      if (!subscription) return; // the page's next subscribe() makes one
      await tell({ type: "tidings:subscription", subscription: subscription.toJSON(), replaced });
      await register({ subscription, replaced });
    } catch {
      // The same: nobody waits for this worker, and the next visit mends it.
    }
  }

  function resubscribe(applicationServerKey) {
    return self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  }

  async function register(changed) {
    const path = new URL(self.location.href).searchParams.get("register");
    if (!path) return;
    await fetch(new URL(path, self.location.href), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(changed),
      credentials: "include",
    });
  }

  async function tell(message) {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    for (const page of pages) page.postMessage(message);
  }

  async function isInView() {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    return pages.some((page) => page.visibilityState === "visible");
  }

  async function setBadge(badge) {
    const count = Number(badge ?? Number.NaN);
    if (!Number.isSafeInteger(count) || count < 0) return;
    try {
      await self.navigator.setAppBadge?.(count);
    } catch {
      // The site is not installed as an app.
    }
  }

  function actionsOf(push) {
    const actions = Array.isArray(push.actions) ? push.actions : [];
    return actions.filter((action) => words(action?.id) && words(action?.title));
  }

  function words(value) {
    return typeof value === "string" && value !== "" ? value : undefined;
  }
})();
