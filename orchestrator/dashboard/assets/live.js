// Keeps a page's live parts and its times true. Without it the page is as it was
// when it was asked for.
"use strict";

const state = document.getElementById("live-state");
let source = null;
let over = false; // nothing of the page changes any more

// plain is a part's text without what the browser itself keeps true.
function plain(html) {
  return html.replace(/( data-ago="">)[^<]*/g, "$1").replace(/ open=""/g, "");
}

// put replaces a part, unless somebody is using it. What was unfolded stays so.
function put(part) {
  const place = document.getElementById(part.id);
  if (!place || place.contains(document.activeElement) && document.activeElement !== document.body) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = part.html;
  if (plain(fresh.innerHTML) === plain(place.innerHTML)) return;
  const open = new Set([...place.querySelectorAll("details[open][id]")].map((d) => d.id));
  const scrolled = [...place.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
  place.innerHTML = part.html;
  for (const d of place.querySelectorAll("details[id]")) if (open.has(d.id)) d.open = true;
  place.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
}

function listen() {
  if (source || over || document.hidden || !document.querySelector(".live")) return;
  source = new EventSource(location.pathname + location.search);
  source.addEventListener("part", (e) => put(JSON.parse(e.data)));
  source.addEventListener("over", () => { over = true; pause(); state.textContent = ""; });
  source.addEventListener("open", () => { state.textContent = " · live"; });
  source.addEventListener("error", () => { state.textContent = " · not live, trying again"; });
}

function pause() {
  if (source) source.close();
  source = null;
}

// What is newest stands at the end of a chart over time.
for (const s of document.querySelectorAll(".to-end")) s.scrollLeft = s.scrollWidth;

document.addEventListener("visibilitychange", () => (document.hidden ? pause() : listen()));
window.addEventListener("pagehide", pause);
window.addEventListener("pageshow", listen);

// ago says a distance in time as the server does (functions.go).
function ago(at) {
  let s = (Date.now() - at) / 1000;
  const form = s < 0 ? (t) => "in " + t : (t) => t + " ago";
  s = Math.abs(s);
  if (s < 10) return "now";
  if (s < 100) return form(Math.floor(s) + " s");
  if (s < 6000) return form(Math.round(s / 60) + " min");
  if (s < 172800) return form(Math.round(s / 3600) + " h");
  return form(Math.round(s / 86400) + " days");
}

setInterval(() => {
  for (const t of document.querySelectorAll("time[data-ago]")) {
    const text = ago(Date.parse(t.dateTime));
    if (t.textContent !== text) t.textContent = text;
  }
}, 5000);

// A form's button can't be pressed twice.
document.addEventListener("submit", (e) => {
  const button = e.submitter;
  if (button) setTimeout(() => { button.disabled = true; setTimeout(() => { button.disabled = false; }, 5000); });
});
