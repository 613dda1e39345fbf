/*
 * Subscribes a browser to Web Push. An ES module, without dependencies:
 *
 *     import { subscribe } from "https://push.example.com/webpush/subscribe.js";
 *
 * What it fails with is a SubscribeError, whose `code` is one of
 *
 *     unsupported           no Web Push here: an old browser, no HTTPS, or on iOS a site that is not installed
 *     denied                the person said no, once and for all; only the browser's settings can change it
 *     dismissed             the person did not answer; ask again another time
 *     public_key_failed     the public key could not be fetched, or is none
 *     worker_failed         the service worker could not be loaded or did not start
 *     push_service_failed   the browser's push service did not take the subscription
 */

const KEY_BYTES = 65; // an uncompressed point of the curve P-256 (RFC 8292, section 3.2)

export class SubscribeError extends Error {
  constructor(code, message, cause) {
    super(message, { cause });
    this.name = "SubscribeError";
    this.code = code;
  }
}

/** Whether this browser can take pushes on this page. */
export function supported() {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

/**
 * Ask for permission, where it is not given yet, and subscribe. Returns the PushSubscription.
 *
 * Call it from a click the first time, since browsers ask only then, and on every visit afterwards
 * (`Notification.permission === "granted"`): that mends a subscription that was lost, or was made with
 * another key.
 *
 * @param {object} options
 * @param {string} options.publicKeyUrl      where the public key is: `…/webpush/public-key`
 * @param {string} options.serviceWorkerUrl  the worker, on the site's own origin
 * @param {(subscription: object, replaced: string | null) => Promise<void>} options.register
 *     hands the subscription, as JSON, to the site's own backend; `replaced` is the endpoint that it takes
 *     the place of. It is called every time and has to bear that. What it throws comes through.
 */
export async function subscribe({ publicKeyUrl, serviceWorkerUrl, register }) {
  if (!supported()) throw new SubscribeError("unsupported", "This browser takes no pushes on this page");
  // First of all: an answer to a click may ask only while the click is fresh.
  await allow();
  const [registration, key] = await Promise.all([start(serviceWorkerUrl), fetchKey(publicKeyUrl)]);
  const present = await registration.pushManager.getSubscription();
  const isKept = present !== null && sameBytes(present.options.applicationServerKey, key);
  if (present !== null && !isKept) await present.unsubscribe();
  const subscription = isKept ? present : await subscribeWith(registration, key);
  const replaced = present !== null && !isKept ? present.endpoint : null;
  await register(subscription.toJSON(), replaced);
  return subscription;
}

/**
 * End the subscription, for example at sign-out. Returns the endpoint, or null where there was none.
 *
 * @param {object} options
 * @param {string} options.serviceWorkerUrl  as for `subscribe`
 * @param {(endpoint: string) => Promise<void>} [options.unregister]
 *     tells the site's own backend. Without it the next push finds out, and Tidings forgets the device.
 */
export async function unsubscribe({ serviceWorkerUrl, unregister = async () => {} }) {
  const registration = supported() && (await navigator.serviceWorker.getRegistration(serviceWorkerUrl));
  const subscription = registration && (await registration.pushManager.getSubscription());
  if (!subscription) return null;
  await subscription.unsubscribe();
  await unregister(subscription.endpoint);
  return subscription.endpoint;
}

async function allow() {
  const permission = await Notification.requestPermission();
  if (permission === "denied") throw new SubscribeError("denied", "Notifications are blocked for this site");
  if (permission !== "granted") throw new SubscribeError("dismissed", "The question was left unanswered");
}

async function start(url) {
  try {
    const registration = await navigator.serviceWorker.register(url);
    await active(registration);
    return registration;
  } catch (error) {
    throw new SubscribeError("worker_failed", `The service worker ${url} did not start: ${error}`, error);
  }
}

/** `navigator.serviceWorker.ready` would wait for ever where the page is outside of the worker's scope. */
function active(registration) {
  if (registration.active) return Promise.resolve();
  const worker = registration.installing ?? registration.waiting;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("its installation failed"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

async function fetchKey(url) {
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const base64 = (await answer.text()).trim().replaceAll("-", "+").replaceAll("_", "/");
    const key = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    if (key.length !== KEY_BYTES) throw new Error(`it has ${key.length} bytes in place of ${KEY_BYTES}`);
    return key;
  } catch (error) {
    throw new SubscribeError("public_key_failed", `No public key from ${url}: ${error}`, error);
  }
}

async function subscribeWith(registration, applicationServerKey) {
  try {
    return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  } catch (error) {
    throw new SubscribeError("push_service_failed", `The browser did not subscribe: ${error}`, error);
  }
}

function sameBytes(buffer, bytes) {
  const others = new Uint8Array(buffer ?? []);
  return others.length === bytes.length && others.every((byte, index) => byte === bytes[index]);
}
