// What would keep somebody from using a page, in words: the rules of WCAG 2.2 that a
// program can judge. The value is a list of texts; empty is good.
(() => {
  const found = [];
  const name = (e) => {
    const own = e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.classList.length ? "." + [...e.classList].join(".") : "");
    const text = (e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return text ? `${own} “${text}”` : own;
  };
  const say = (rule, e) => found.push(e ? `${rule}: ${name(e)}` : rule);
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const style = (e) => getComputedStyle(e);
  const visible = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true, contentVisibilityAuto: true }) && e.getClientRects().length > 0;
  const byIds = (ids) => ids.split(/\s+/).map((id) => document.getElementById(id));
  // accessibleName is near enough what a screen reader says.
  const accessibleName = (e) => {
    if (e.hasAttribute("aria-labelledby")) return byIds(e.getAttribute("aria-labelledby")).map((r) => (r ? r.textContent : "")).join(" ").trim();
    if (e.getAttribute("aria-label")) return e.getAttribute("aria-label").trim();
    if (e.labels && e.labels.length) return [...e.labels].map((l) => l.textContent).join(" ").trim();
    if (e.tagName === "IMG") return (e.getAttribute("alt") || "").trim();
    if (e.tagName === "TABLE") return e.caption ? e.caption.textContent.trim() : "";
    const text = [...e.childNodes].map((n) => (n.nodeType === 3 ? n.textContent : n.nodeType === 1 && n.getAttribute("aria-hidden") !== "true" ? accessibleName(n) : "")).join(" ").trim();
    return text || (e.getAttribute("title") || "").trim();
  };

  // The document and its landmarks.
  if (!document.documentElement.lang) say("the document has no language");
  if (!document.title.trim()) say("the document has no title");
  if (all("main").length !== 1) say(`${all("main").length} main landmarks`);
  if (all("h1").filter(visible).length !== 1) say(`${all("h1").filter(visible).length} headings of the first level`);
  if (document.querySelector("nav") && !document.querySelector("a.skip[href='#main']")) say("no link to skip the navigation");
  for (const nav of all("nav")) if (!accessibleName(nav) || !nav.getAttribute("aria-label") && !nav.getAttribute("aria-labelledby")) say("a navigation without a name", nav);
  for (const e of document.body.querySelectorAll(":scope > *")) {
    if (visible(e) && !e.matches("header, main, footer, nav, script, .skip, [role]")) say("content outside the landmarks", e);
  }
  let level = 0;
  for (const h of all("h1,h2,h3,h4,h5,h6").filter(visible)) {
    const l = Number(h.tagName[1]);
    if (l > level + 1) say(`a heading skips from level ${level} to ${l}`, h);
    level = l;
  }

  // References and ids.
  const ids = new Map();
  for (const e of all("[id]")) ids.set(e.id, (ids.get(e.id) || 0) + 1);
  for (const [id, n] of ids) if (n > 1) say(`the id ${id} is there ${n} times`);
  for (const a of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const e of all(`[${a}]`)) if (byIds(e.getAttribute(a)).some((r) => !r)) say(`${a} names nothing`, e);
  }
  for (const l of all("label[for]")) if (!document.getElementById(l.htmlFor)) say("a label for nothing", l);
  for (const e of all("[aria-hidden=true] a, [aria-hidden=true] button, [aria-hidden=true] input")) say("something that takes the focus is hidden from screen readers", e);

  // Names.
  for (const e of all("input:not([type=hidden]), select, textarea")) if (!accessibleName(e)) say("a field without a label", e);
  for (const e of all("button, summary")) if (!accessibleName(e)) say("a button without a name", e);
  for (const e of all("a[href]")) if (!accessibleName(e)) say("a link without a text", e);
  for (const e of all("img:not([alt])")) say("a picture without a text", e);
  for (const e of all("svg")) {
    if (e.closest("[aria-hidden=true]")) continue;
    if (e.getAttribute("role") !== "img" && !e.querySelector("a[href]") || !accessibleName(e)) say("a drawing without a role and a name", e);
  }
  for (const e of all("progress, meter")) if (!accessibleName(e)) say("a gauge without a name", e);
  for (const e of all("[tabindex]")) if (e.tabIndex > 0) say("tabindex above 0", e);
  for (const e of all("fieldset")) if (!e.querySelector("legend")) say("a group of fields without a legend", e);

  // Tables.
  for (const t of all("table")) {
    const region = t.closest("[role=region]");
    if (!accessibleName(t) && !(region && accessibleName(region))) say("a table without a name", t);
    for (const th of all("th", t)) if (!th.scope) say("a heading of a table without a scope", th);
    if (!t.querySelector("th")) say("a table without headings", t);
  }
  for (const e of all("main *, footer *, header *")) {
    if (e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(style(e).overflowX) && visible(e) && e.clientWidth > 0 && e.tabIndex < 0) say("a scrolling place that takes no focus", e);
  }
  for (const e of all("ul > *, ol > *")) if (!["LI", "SCRIPT", "TEMPLATE"].includes(e.tagName)) say("something else than an item in a list", e);
  for (const e of all("dl > *")) if (!["DT", "DD", "DIV"].includes(e.tagName)) say("something else than a term in a list of terms", e);

  // Forms that post carry the visitor's token.
  for (const f of all("form[method=post]")) if (!f.querySelector("[name=form_token]") && !f.querySelector("#token")) say("a form without a token", f);

  // The page may not scroll sideways.
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) {
    const wide = all("body *").filter((e) => visible(e) && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.parentElement.closest(".scroll")).pop();
    say(`the page is ${document.documentElement.scrollWidth} px wide on ${document.documentElement.clientWidth}`, wide);
  }

  // What is pressed is at least 24 px high, but for links in text.
  for (const e of all("button, input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea, nav a").filter(visible)) {
    const r = e.getBoundingClientRect();
    if (r.height < 24 || r.width < 24) say(`only ${Math.round(r.width)} × ${Math.round(r.height)} px to press`, e);
  }

  // Contrast of every text with what lies behind it.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = "#000";
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (e) => {
    const layers = [];
    for (let p = e; p; p = p.parentElement) {
      const c = rgba(style(p).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), rgba(style(document.documentElement).backgroundColor));
  };
  const luminance = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !e || !visible(e) || e.closest(".hidden, .skip, script, style, title, option, :disabled")) continue;
    const s = style(e);
    const svg = e.closest("svg");
    const ground = behind(svg && e !== svg ? svg.parentElement : e);
    const colour = over(rgba(svg ? s.fill : s.color), ground);
    const size = parseFloat(s.fontSize);
    const least = size >= 24 || size >= 18.66 && Number(s.fontWeight) >= 700 ? 3 : 4.5;
    const ratio = contrast(colour, ground);
    // A label on a shape of a chart lies on that shape's colour, which isn't known here.
    if (svg && e.closest(".on-shape")) continue;
    const key = [colour, ground].join();
    if (ratio < least && !seen.has(key)) {
      seen.set(key, true);
      say(`a contrast of ${ratio.toFixed(2)}, less than ${least}`, e);
    }
  }

  // For the walk by Tab (browser.go).
  window.cicloFocusable = () => all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")
    .filter((e) => visible(e) && !e.disabled && e.tabIndex >= 0 || e.matches("a.skip"));
  let last = null;
  window.cicloFocused = (i) => {
    const e = document.activeElement;
    if (e === document.body) return i === 0 ? "Tab leads nowhere" : "";
    if (last && last.isConnected && last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_PRECEDING && !(last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_CONTAINS)) {
      const wrapped = e.matches("a.skip");
      last = e;
      return wrapped ? "" : `the focus jumps back to: ${name(e)}`;
    }
    last = e;
    const s = style(e);
    if (e.matches("a.skip")) return "";
    if (s.outlineStyle === "none" || s.outlineStyle !== "auto" && parseFloat(s.outlineWidth) < 2) return `the focus can't be seen: ${name(e)}`;
    return "";
  };
  return found;
})()
