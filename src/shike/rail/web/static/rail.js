// What the railway's pages do beyond showing: deeds by fetch, countdowns, seats along the line. No library, no inline code.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);
const money = (cents, currency) => `${{ EUR: "€", CNY: "¥" }[currency] || currency + " "}${(cents / 100).toFixed(2)}`;
const filled = (words, facts) => words.replace(/\{(\w+)\}/g, (_, name) => facts[name]);
const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// ---- asking

class Problem extends Error {
  constructor(facts) { super(facts.detail); this.facts = facts; }
}

async function asked(verb, path, body, key) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (key) headers["idempotency-key"] = key;
  const answer = await fetch(path, { method: verb, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const facts = await answer.json().catch(() => ({ detail: answer.statusText, status: answer.status }));
  if (!answer.ok) throw new Problem(facts);
  return facts;
}

// A passenger has a session from the first deed on.
let begun = null;
const passenger = async () => (begun ??= asked("POST", "/rail/v1/session"));

// Lost answers are asked for again under the same key: done once.
async function deed(verb, path, body, key) {
  for (let left = 2; ; left--) {
    try { return await asked(verb, path, body, key); }
    catch (error) {
      if (error instanceof Problem || left === 0) throw error;
      await new Promise((then) => setTimeout(then, 800));
    }
  }
}

function trouble(near, error) {
  const box = one("[data-trouble]", near) || one("[data-trouble]", near.closest("section") || document) || one("[data-trouble]");
  if (!box) return;
  const facts = error.facts || { detail: String(error.message || error) };
  const said = document.createElement("p");
  said.textContent = facts.detail;
  box.replaceChildren(said);
  if (facts.instead?.length) {
    const list = document.createElement("ul");
    for (const other of facts.instead) {
      const item = document.createElement("li"), link = document.createElement("a");
      const query = new URLSearchParams(location.search);
      query.set("class", other.class); query.set("from", other.from); query.set("to", other.to);
      link.href = `?${query}`;
      link.textContent = `${other.from} → ${other.to}, ${other.class}: ${other.count}` + (other.changes?.length ? ` ⇄ ${other.changes.join(", ")}` : "");
      item.append(link); list.append(item);
    }
    box.append(list);
  }
  box.hidden = false;
}

async function busy(button, work) {
  if (button) button.disabled = true;
  try { await work(); } catch (error) { trouble(button || document.body, error); } finally { if (button) button.disabled = false; }
}

function go(then, facts) {
  if (then === "reload") location.reload();
  else if (then === "page") location.assign(facts.page);
  else if (then) location.assign(then);
}

// ---- deeds of buttons

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const data = button.dataset;
  if (data.post) busy(button, async () => go(data.then, await deed("POST", data.post)));
  if (data.delete) busy(button, async () => { await deed("DELETE", data.delete); go(data.then); });
  if (data.prices) busy(button, async () => { await deed("POST", data.prices, { class: data.class, prices: JSON.parse(data.values) }); go(data.then); });
  if (data.rules) busy(button, async () => {
    for (const rule of JSON.parse(data.values)) await deed("PUT", data.rules + encodeURIComponent(rule.name), rule.body);
    go(data.then);
  });
  if (data.language) { const query = new URLSearchParams(location.search); query.set("lang", data.language); location.assign(`?${query}`); }
  if ("swap" in data) { const from = one("#from"), to = one("#to"); [from.value, to.value] = [to.value, from.value]; }
  if ("themeButton" in data) turn();
  if (data.change) quoteChange(button);
});

// ---- light and dark

function turn() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("shike-rail-theme", document.documentElement.dataset.theme);
}
const theme = localStorage.getItem("shike-rail-theme");
if (theme) document.documentElement.dataset.theme = theme;

// ---- stations as they are typed

for (const input of all("[data-stations]")) {
  let waiting = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      if (input.value.trim().length < 2) return;
      const found = await asked("GET", `/rail/v1/stations?${new URLSearchParams({ text: input.value })}`).catch(() => ({ stations: [] }));
      one(`#${input.getAttribute("list")}`).replaceChildren(...found.stations.map((station) => new Option("", station.name)));
    }, 150);
  });
}

// ---- countdowns: by the server's clock, as it was when the page was made

const made = performance.now();
function tick() {
  for (const time of all("time[data-until]")) {
    const left = Math.ceil((Date.parse(time.dataset.until) - Date.parse(time.dataset.now) - (performance.now() - made)) / 1000);
    const hours = Math.floor(Math.max(left, 0) / 3600), minutes = Math.floor((Math.max(left, 0) % 3600) / 60), seconds = Math.max(left, 0) % 60;
    const days = Math.floor(hours / 24);
    time.textContent = days > 1 ? `${days} d` : (hours ? `${hours}:${String(minutes).padStart(2, "0")}` : `${minutes}`) + `:${String(seconds).padStart(2, "0")}`;
    time.closest(".countdown")?.classList.toggle("late", left < 60);
    if (left <= -2 && time.dataset.then === "reload" && !time.dataset.over) { time.dataset.over = "1"; location.reload(); }
  }
}
if (one("time[data-until]")) { tick(); setInterval(tick, 1000); }
const live = one("[data-live]");
if (live?.dataset.live) setTimeout(() => location.reload(), 1000 * Number(live.dataset.live));

// ---- holding seats, waiting for some

for (const form of all("[data-order]")) {
  let key = fresh();
  form.addEventListener("input", () => { key = fresh(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter || one("button[type=submit]", form);
    const ride = { train: form.dataset.train, from: form.dataset.from, to: form.dataset.to, class: form.dataset.class };
    const people = all("[data-passenger]", form).map((set) => Object.fromEntries(all("[data-field]", set).map((field) => [field.dataset.field, field.value])));
    const seat = one("input[name=seat]:checked", form)?.value;
    busy(button, async () => {
      await passenger();
      try {
        const order = button.dataset.deed === "wait"
          ? await deed("POST", "/rail/v1/waits", { train: ride, passengers: people, until: until(form) }, key)
          : await deed("POST", "/rail/v1/orders", { trains: [ride], passengers: people, seats: seat ? seat.split(",") : [] }, key);
        location.assign(`/rail/orders/${order.order}`);
      } catch (error) { key = fresh(); throw error; }
    });
  });
}

function until(form) {
  const hours = Number(one("[data-until-hours]", form).value), now = one("time[data-now]")?.dataset.now || document.body.dataset.now;
  return new Date(Date.parse(now) + (performance.now() - made) + hours * 3600e3).toISOString();
}

// ---- giving back, changing: first what it costs, then the deed

for (const form of all("form[data-quote]")) {
  const said = one("[data-quoted]", form), confirm = one("[data-confirm]", form);
  const chosen = () => ({ train: Number(form.dataset.part), tickets: all("input[name=ticket]:checked", form).map((box) => Number(box.value)) });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter, async () => {
      const quote = await asked("POST", form.dataset.quote, chosen());
      said.textContent = filled(form.dataset.words, { back: money(quote.back_cents, quote.currency), kept: money(quote.kept_cents, quote.currency) });
      confirm.hidden = false; confirm.focus();
    });
  });
  form.addEventListener("change", () => { said.textContent = ""; confirm.hidden = true; });
  confirm.addEventListener("click", () => busy(confirm, async () => { await deed("POST", form.dataset.call, chosen()); location.reload(); }));
}

function quoteChange(button) {
  const data = button.dataset, said = one("[data-change-quoted]"), confirm = one("[data-change-confirm]");
  const wish = { train: { train: data.train, from: data.from, to: data.to, class: data.class } }, key = fresh();
  busy(button, async () => {
    const quote = await asked("POST", `${data.change}/change-quote`, wish);
    said.textContent = `${data.train}: ` + filled(said.dataset.words, { pay: money(quote.to_pay_cents, quote.currency), get: money(quote.to_get_cents, quote.currency), fee: money(quote.fee_cents, quote.currency) });
    confirm.hidden = false; confirm.focus();
    confirm.onclick = () => busy(confirm, async () => {
      const order = await deed("POST", `${data.change}/change`, wish, key);
      location.assign(`/rail/orders/${order.order}`);
    });
  });
}

// ---- the triangle: arrows move between its cells

for (const table of all("[data-triangle]")) {
  table.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    let row = cell.parentElement.rowIndex, column = cell.cellIndex;
    while (table.rows[(row += step[0])]?.cells[(column += step[1])]) {
      const link = one("a", table.rows[row].cells[column]);
      if (link) { link.focus(); return; }
    }
  });
}

// ---- seats along the line

for (const slider of all("[data-slider]")) {
  const range = one("input", slider), where = one("output", slider), seats = all("[data-seats] .seat");
  const names = all("[data-names] li", slider).map((name) => name.textContent);
  const board = Number(slider.dataset.board), alight = Number(slider.dataset.alight);
  const words = one("[data-seat-words]");
  const show = () => {
    const at = Number(range.value), whole = at === 0, from = whole ? board : at - 1, to = whole ? alight : at;
    const counts = { free: 0, part: 0, taken: 0 };
    where.textContent = whole ? slider.dataset.tripWords : `${names[from]} → ${names[to]}`;
    range.setAttribute("aria-valuetext", where.textContent);
    for (const seat of seats) {
      const way = seat.dataset.taken.slice(from, to), trip = seat.dataset.taken.slice(board, alight);
      const state = !way.includes("1") ? (whole || !trip.includes("1") ? "free" : "part") : whole && way.includes("0") ? "part" : "taken";
      counts[state]++;
      seat.classList.remove("free", "part", "taken");
      seat.classList.add(state);
    }
    for (const [state, count] of Object.entries(counts)) one(`[data-count=${state}]`).textContent = count;
  };
  range.addEventListener("input", show);
  const own = one("[data-own-seat]"), people = all("[data-passenger]").length;
  let picked = [];
  const pick = (seat) => {  // as many as there are passengers, the latest ones; only what is free all the way
    if (!own || seat.dataset.taken.slice(board, alight).includes("1")) return;
    picked = [...picked.filter((name) => name !== seat.dataset.name), seat.dataset.name].slice(-people);
    const choice = one("input", own), whole = picked.length === people;
    one("span", own).textContent = filled(own.dataset.words, { names: picked.join(", "), n: picked.length, of: people });
    choice.value = whole ? picked.map((name) => `=${name}`).join(",") : "";
    own.hidden = false;
    choice.checked = true;
    choice.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const tell = (seat) => {
    seats.forEach((other) => { other.classList.toggle("chosen", other === seat); other.tabIndex = other === seat ? 0 : -1; });
    const taken = [], way = seat.dataset.taken;
    for (let start = 0; start < way.length; start++) {
      if (way[start] !== "1") continue;
      let end = start; while (way[end] === "1") end++;
      taken.push(`${names[start]} → ${names[end]}`); start = end;
    }
    pick(seat);
    words.textContent = `${seat.getAttribute("aria-label").split(":")[0]}: ${taken.length ? taken.join(", ") : "–"}`;
  };
  if (seats.length) seats[0].tabIndex = 0;
  one("[data-seats]").addEventListener("click", (event) => { const seat = event.target.closest(".seat"); if (seat) tell(seat); });
  one("[data-seats]").addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key], at = seats.indexOf(event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = seats[at + step];
    if (next) { next.focus(); tell(next); }
  });
}

// ---- staff

for (const form of all("[data-sign-in]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter, async () => { await asked("POST", "/rail/v1/staff/session", { key: one("input", form).value.trim() }); location.assign("/rail/staff/day"); });
  });
}
for (const form of all("[data-disrupt]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const box = one("[data-asked]"), yes = one("[data-yes]", box), field = one("select, input", form), lost = one("[data-lost]");
    one("p", box).textContent = form.dataset.ask;
    box.hidden = false; yes.focus();
    one("[data-no]", box).onclick = () => { box.hidden = true; };
    yes.onclick = () => busy(yes, async () => {
      const answer = await deed("POST", form.dataset.disrupt, { [form.dataset.name]: field.value });
      box.hidden = true;
      lost.textContent = filled(lost.dataset.words, { n: answer.orders.length });
      setTimeout(() => location.reload(), 1500);
    });
  });
}
