const WORKER = "/demo/worker.js";
const PUBLIC_KEY = "/demo/public-key";
const KEPT = "tidings-demo-subscription";
const POLL_MS = 1000;

const find = (id) => document.getElementById(id);
const rows = new Map();
const delivered = new Set();

// Loaded only when it is needed: without the push service the page still says what is wrong.
const scripts = () => import("/demo/subscribe.js");

/** The part of a browser's vendor, played by the simulator; the permission and the worker are real. */
async function subscribeHere() {
  const { SubscribeError } = await scripts();
  if ((await Notification.requestPermission()) !== "granted") {
    throw new SubscribeError("denied", "Notifications are not allowed on this page");
  }
  await navigator.serviceWorker.register(WORKER);
  const applicationServerKey = await text(PUBLIC_KEY);
  const subscription = await json("/api/webpush/subscriptions", { applicationServerKey });
  localStorage.setItem(KEPT, JSON.stringify(subscription));
}

async function subscribeAtVendor() {
  const { subscribe } = await scripts();
  await subscribe({ publicKeyUrl: PUBLIC_KEY, serviceWorkerUrl: WORKER, register: async () => {} });
  await forget();
}

async function stop() {
  const { unsubscribe } = await scripts();
  await unsubscribe({ serviceWorkerUrl: WORKER });
  await forget();
}

async function forget() {
  const kept = simulated();
  localStorage.removeItem(KEPT);
  if (kept) await fetch(`/api/webpush/subscriptions/${kept.endpoint.split("/").pop()}`, { method: "DELETE" });
}

function simulated() {
  return JSON.parse(localStorage.getItem(KEPT));
}

async function vendors() {
  const registration = await navigator.serviceWorker?.getRegistration(WORKER);
  return registration?.pushManager?.getSubscription() ?? null;
}

async function text(url, options) {
  const answer = await fetch(url, options);
  const words = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${words}`);
  return words;
}

async function json(url, body) {
  const headers = { "Content-Type": "application/json" };
  return JSON.parse(await text(url, body && { method: "POST", headers, body: JSON.stringify(body) }));
}

/** Give the worker what came to the simulated subscription since it was made. */
async function deliver() {
  const subscription = simulated();
  if (!subscription) return;
  const query = new URLSearchParams({ token: subscription.endpoint });
  const { pushes } = await json(`/api/push?${query}`);
  const registration = await navigator.serviceWorker.getRegistration(WORKER);
  for (const push of pushes.reverse()) {
    if (delivered.has(push.name) || !registration?.active) continue;
    delivered.add(push.name);
    sessionStorage.setItem(KEPT, JSON.stringify([...delivered]));
    registration.active.postMessage({ type: "demo:deliver", text: JSON.stringify(push.message.notification) });
  }
}

async function show() {
  const [here, there] = [simulated(), await vendors()];
  const subscription = here ?? there?.toJSON();
  find("permission").textContent = globalThis.Notification?.permission ?? "this browser has no notifications";
  find("where").textContent = here ? "at this simulator" : there ? `at ${new URL(there.endpoint).host}` : "none";
  find("stop").disabled = !subscription;
  find("registration").hidden = !subscription;
  find("unregistered").hidden = Boolean(subscription);
  if (subscription) find("command").textContent = command(subscription);
}

function command({ endpoint, keys }) {
  const body = { provider: "webpush", platform: "web", subscription: { endpoint, keys } };
  const lines = [
    'curl -X POST "$TIDINGS_URL/v1/users/$USER_ID/tokens"',
    '-H "Authorization: Bearer $TIDINGS_API_KEY" -H "Content-Type: application/json"',
    `-d '${JSON.stringify(body)}'`,
  ];
  return lines.join(" \\\n  ");
}

function heard({ data }) {
  if (data?.type === "tidings:push") add(data.push);
  if (data?.type !== "tidings:reported") return;
  const cell = rows.get(data.notification_id)?.querySelector(`.${data.event}`);
  if (cell) cell.textContent = data.reported ? "reported" : "not taken";
}

function add(push) {
  const row = document.createElement("tr");
  const report = push.engagement_url ? "…" : "no report asked for";
  const words = [push.title, push.body].filter((part) => typeof part === "string" && part).join(": ");
  const cells = [
    ["time", new Date().toLocaleTimeString()],
    ["push", words || "(no words)"],
    ["displayed", report],
    ["clicked", ""],
  ];
  for (const [name, content] of cells) {
    const cell = row.insertCell();
    cell.className = name;
    cell.textContent = content;
  }
  find("arrived").tBodies[0].prepend(row);
  find("arrived").hidden = false;
  find("nothing").hidden = true;
  if (push.notification_id) rows.set(push.notification_id, row);
}

function onClick(id, act) {
  find(id).addEventListener("click", () => attempt(act));
}

async function attempt(act) {
  const trouble = find("trouble");
  const buttons = [find("here"), find("vendor"), find("stop")];
  for (const button of buttons) button.disabled = true;
  find("where").textContent = "waiting for the browser …";
  try {
    await act();
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
  for (const button of buttons) button.disabled = false;
  await show();
}

for (const name of JSON.parse(sessionStorage.getItem(KEPT)) ?? []) delivered.add(name);
navigator.serviceWorker?.addEventListener("message", heard);
navigator.serviceWorker?.startMessages();
onClick("here", subscribeHere);
onClick("vendor", subscribeAtVendor);
onClick("stop", stop);
onClick("copy", () => navigator.clipboard.writeText(find("command").textContent));

await attempt(async () => {
  if (!globalThis.isSecureContext) throw new Error("Browsers allow Web Push on localhost and over HTTPS only");
  await scripts();
});

async function poll() {
  try {
    await deliver();
  } catch {
    // The simulator is being restarted; the next turn finds it.
  }
  setTimeout(poll, POLL_MS);
}
poll();
