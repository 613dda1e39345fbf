"use strict";

importScripts("sw.js");

// What a vendor's push service would deliver; here the page brings it. A browser trusts no event that a
// script made, so it lends it the life of the message.
self.addEventListener("message", (message) => {
  if (message.data?.type !== "demo:deliver") return;
  const data = { text: () => message.data.text };
  const waitUntil = (work) => message.waitUntil(work);
  self.dispatchEvent(Object.assign(new Event("push"), { data, waitUntil }));
});
