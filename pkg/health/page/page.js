"use strict";
// Everything is text by the time it comes here; it is only ever put into
// textContent and attributes, so that nothing in it becomes part of the page.
(() => {
const $ = (id) => document.getElementById(id);
const text = (el, value) => { if (el.textContent !== value) el.textContent = value; };
const attr = (el, name, value) => { if (el.getAttribute(name) !== value) el.setAttribute(name, value); };
const make = (tag, ...children) => { const el = document.createElement(tag); el.append(...children); return el; };

// sync gives parent as many children as there are items, and fills each.
const sync = (parent, items, create, fill) => {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    if (i >= parent.children.length) parent.append(create());
    fill(parent.children[i], item);
  });
};

const number = (el, n) => {
  attr(el, "data-tone", n.tone);
  text(el.querySelector(".value"), n.value);
  text(el.querySelector(".unit"), n.unit);
  text(el.querySelector(".note"), n.note);
};

const panel = (el, p) => {
  text(el.querySelector("h2"), p.title);
  sync(el.querySelector("dl"), p.facts, () => make("div", make("dt"), make("dd")), (row, f) => {
    attr(row, "data-tone", f.tone);
    text(row.firstChild, f.name);
    text(row.lastChild, f.value);
  });
};

const table = (t) => {
  const el = document.querySelector(`section[data-key="${t.key}"]`);
  const rows = t.rows || [];
  sync(el.querySelector("tbody"), rows, () => make("tr"), (tr, row) => {
    attr(tr, "data-tone", row.tone);
    sync(tr, row.cells, () => make("td"), (td, cell) => text(td, cell));
    t.heads.forEach((head, i) => {
      attr(tr.children[i], "class", head.look);
      attr(tr.children[i], "data-head", head.name);
    });
  });
  const empty = el.querySelector(".empty");
  text(empty, t.empty);
  empty.hidden = rows.length > 0;
  el.querySelector("table").className = rows.length > 0 ? "" : "none";
};

let title = document.title;
const icon = (tone) => {
  const colour = { good: "#1f9d5b", wait: "#d39a1c", bad: "#d8323a" }[tone] || "#888";
  attr($("icon"), "href", "data:image/svg+xml," + encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${colour}"/></svg>`));
};

const state = (v) => {
  attr($("state"), "data-tone", v.tone);
  text($("word"), v.word);
  text($("detail"), v.detail);
  text($("help"), v.help);
  attr($("help"), "href", v.help);
  $("help-line").hidden = v.help === "";
  text($("time"), v.time);
  sync($("numbers"), v.numbers, () => null, number);
  sync($("panels"), v.panels, () => null, panel);
  v.tables.forEach(table);
  title = `${v.word} – fhctl`;
  document.title = title;
  icon(v.tone);
};

const drawn = new Map();
const graph = (g) => {
  const el = document.querySelector(`figure[data-key="${g.key}"]`);
  drawn.set(el, g);
  for (const name of ["top", "middle", "start", "half"]) text(el.querySelector("." + name), g[name]);
  for (const name of ["line", "area", "down"]) attr(el.querySelector("path." + name), "d", g[name]);
  text(el.querySelector(".blank"), g.blank);
  attr(el.querySelector("svg"), "aria-label", g.said);
};

// point tells the value under the pointer, and when it was.
const point = (el, event) => {
  const g = drawn.get(el), box = el.querySelector("svg").getBoundingClientRect();
  if (!g || !g.values) return;
  const when = g.until - (1 - (event.clientX - box.left) / box.width) * g.span * 1000;
  const index = g.times.findIndex((t) => t >= when);
  if (index < 0 || g.times[index] - when > g.step * 1000) return leave(el); // a hole, or before the first
  const value = g.values[index], at = new Date(g.times[index]);
  text(el.querySelector("output"), `${at.toISOString().slice(11, 19)}  ${value === null ? "unknown" : value.toLocaleString("en-US")}`);
  attr(el.querySelector(".at"), "d", `M${(1 - (g.until - g.times[index]) / 1000 / g.span) * 360} 0V100`);
};
const leave = (el) => { text(el.querySelector("output"), ""); attr(el.querySelector(".at"), "d", ""); };
for (const el of document.querySelectorAll("figure")) {
  el.querySelector("svg").addEventListener("pointermove", (event) => point(el, event));
  el.querySelector("svg").addEventListener("pointerleave", () => leave(el));
}

// The page says when it is no longer true: nothing came for longer than a few
// ticks, so the process, or the way to it, is gone.
let last = Date.now();
const fresh = () => { last = Date.now(); text($("link"), "live"); attr($("link"), "data-tone", "good"); };
setInterval(() => {
  if (Date.now() - last < 7000) return;
  text($("link"), "no answer since");
  attr($("link"), "data-tone", "bad");
  attr($("state"), "data-tone", "pale");
  document.title = "No answer – fhctl";
  icon("");
}, 1000);

const follow = () => {
  const source = new EventSource("/live");
  source.addEventListener("state", (event) => { state(JSON.parse(event.data)); fresh(); });
  source.addEventListener("graphs", (event) => {
    const graphs = JSON.parse(event.data);
    graphs.forEach(graph);
    $("legend").hidden = !graphs.some((g) => g.down);
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  };
};
follow();
})();
