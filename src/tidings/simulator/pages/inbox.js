"use strict";

const REFRESH_MS = 2000;
const list = document.getElementById("list");
const freshness = document.getElementById("freshness");
const clear = document.getElementById("clear");
let shown = null;

function showLocalTimes(root) {
  const today = new Date().toDateString();
  for (const element of root.querySelectorAll("time")) {
    const moment = new Date(element.dateTime);
    const isToday = moment.toDateString() === today;
    element.title = moment.toLocaleString();
    element.textContent = element.closest("#list") && isToday ? moment.toLocaleTimeString() : moment.toLocaleString();
  }
}

function say(words) {
  // Written only on change, so that a screen reader is not told the same every two seconds.
  if (freshness.textContent !== words) freshness.textContent = words;
}

async function refresh() {
  if (document.hidden) return;
  const address = new URL(location.href);
  address.searchParams.set("list_only", "true");
  try {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.status);
    const html = await answer.text();
    if (html !== shown) replaceList(html);
    shown = html;
    say("");
  } catch {
    say("The simulator does not answer; trying again");
  }
}

function replaceList(html) {
  const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
  list.innerHTML = html;
  showLocalTimes(list);
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

clear.hidden = false;
clear.addEventListener("click", async () => {
  if (!confirm("Delete everything in this list?")) return;
  await fetch(clear.dataset.url, { method: "DELETE" });
  location.assign(clear.dataset.home);
});

showLocalTimes(document);
refresh();
setInterval(refresh, REFRESH_MS);
