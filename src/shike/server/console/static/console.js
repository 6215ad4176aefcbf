// What every page can do: live values, dialogs, words after a deed, keys, local times. Values only ever become text.
"use strict";
(() => {
  const home = document.body.dataset.home;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---------------------------------------------------------------- words that come and go
  function tell(words, mood = "") {
    const place = document.querySelector(".toasts");
    const toast = document.createElement("div");
    toast.className = "toast";
    if (mood) toast.dataset.mood = mood;
    const text = document.createElement("span");
    text.textContent = words;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", place.dataset.closeWords);
    close.addEventListener("click", () => toast.remove());
    toast.append(text, close);
    place.append(toast);
    if (!mood) setTimeout(() => toast.remove(), 8000);
  }
  document.body.addEventListener("told", (event) => {
    sessionStorage.setItem("shike.told", event.detail.words); // the page is about to be read anew
  });
  const kept = sessionStorage.getItem("shike.told");
  if (kept) {
    sessionStorage.removeItem("shike.told");
    tell(kept);
  }

  // ---------------------------------------------------------------- refusals: at the field they are about
  document.body.addEventListener("htmx:responseError", (event) => {
    let problem = { detail: event.detail.xhr.statusText };
    try { problem = JSON.parse(event.detail.xhr.responseText); } catch { /* it was no problem of ours */ }
    const form = event.detail.elt.closest("form");
    const field = form && problem.field ? form.elements.namedItem(problem.field) : null;
    if (!field || !field.closest) return tell(problem.detail, "bad");
    field.setAttribute("aria-invalid", "true");
    const box = field.closest(".field") || form;
    const words = box.querySelector(".wrong") || box.appendChild(document.createElement("p"));
    words.className = "wrong";
    words.setAttribute("role", "alert");
    words.textContent = problem.detail;
    field.focus();
  });
  document.body.addEventListener("htmx:sendError", () => tell(document.querySelector("[data-words-lost]")?.dataset.wordsLost || "…", "bad"));
  document.addEventListener("input", (event) => {
    if (event.target.getAttribute("aria-invalid") === "true") {
      event.target.removeAttribute("aria-invalid");
      event.target.closest(".field")?.querySelector(".wrong")?.remove();
    }
  });

  // ---------------------------------------------------------------- dialogs
  const dialog = document.getElementById("dialog");
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === dialog && !dialog.open) dialog.showModal();
    localTimes(event.detail.target);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    if (event.target.tagName === "DIALOG") event.target.close();
  });

  // ---------------------------------------------------------------- preferences
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.prefer;
    if (!name) return;
    document.cookie = `${name}=${event.target.value}; Path=/; Max-Age=31536000; SameSite=Lax`;
    location.reload();
  });

  // ---------------------------------------------------------------- times, in the zone of whoever looks
  const date = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  function localTimes(root) {
    for (const time of all("time[datetime]:not([data-local])", root)) {
      const at = new Date(time.dateTime);
      time.dataset.local = "";
      time.title = `${time.dateTime} · ${zone}`;
      const [day, clock] = date.format(at).split(" ");
      const millis = time.dateTime.match(/\.(\d{3})/)?.[1];
      const exact = time.closest("[data-exact]") && millis ? `.${millis}` : "";
      const today = date.format(new Date()).startsWith(day);
      time.textContent = today && !time.closest("[data-days]") ? `${clock}${exact}` : `${day} ${clock}${exact}`;
    }
  }
  document.body.addEventListener("htmx:load", (event) => localTimes(event.detail.elt.parentNode || document));
  localTimes(document);

  // ---------------------------------------------------------------- live: one connection for all that a page shows
  const toggle = document.querySelector("[data-live-toggle]");
  let source = null;
  const pick = (value, path) => path.split(".").reduce((part, name) => (part == null ? part : part[name]), value);
  function hear(topic, value) {
    for (const element of all(`[data-live~="${topic}"]`)) {
      if (element.hasAttribute("data-plot")) window.shikePlot.update(element, pick(value, element.dataset.pick));
      else if (element.dataset.pick) {
        const text = pick(value, element.dataset.pick);
        if (text != null && element.textContent !== String(text)) element.textContent = text;
      }
      element.dispatchEvent(new CustomEvent("live", { detail: value }));
    }
  }
  function mark() {
    if (!toggle) return;
    const wanted = toggle.getAttribute("aria-pressed") === "true";
    const lost = wanted && source && source.readyState === EventSource.CLOSED;
    toggle.toggleAttribute("data-lost", Boolean(lost));
    toggle.textContent = lost ? toggle.dataset.wordsLost : wanted ? toggle.dataset.wordsLive : toggle.dataset.wordsPaused;
  }
  function listen() {
    const wanted = !toggle || toggle.getAttribute("aria-pressed") === "true";
    const topics = new Set(all("[data-live]").flatMap((element) => element.dataset.live.split(" ")));
    if (source) source.close();
    source = null;
    // Browsers keep few connections to one host: a page that nobody sees holds none.
    if (wanted && topics.size && document.visibilityState === "visible") {
      source = new EventSource(`${home}/live?topics=${[...topics].sort().join(",")}`);
      for (const topic of topics) source.addEventListener(topic, (event) => hear(topic, JSON.parse(event.data)));
      source.onopen = () => { document.body.dataset.listening = ""; mark(); };
      source.onerror = () => {
        mark();
        if (source && source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
      };
    } else delete document.body.dataset.listening;
    mark();
  }
  toggle?.addEventListener("click", () => {
    toggle.setAttribute("aria-pressed", toggle.getAttribute("aria-pressed") === "true" ? "false" : "true");
    listen();
  });
  document.addEventListener("visibilitychange", listen);
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => event.persisted && listen());
  listen();

  // ---------------------------------------------------------------- search with completion (an ARIA combobox)
  for (const box of all("[data-complete]")) {
    const input = box.querySelector("input");
    const list = box.querySelector("[role=listbox]");
    let asked = 0;
    const options = () => all("[role=option]", list);
    const at = () => options().findIndex((option) => option.getAttribute("aria-selected") === "true");
    const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
    const select = (place) => options().forEach((option, n) => {
      option.setAttribute("aria-selected", String(n === place));
      if (n === place) { input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
    });
    const take = (option) => {
      const end = input.selectionStart;
      const start = input.value.slice(0, end).search(/\S*$/);
      const word = option.dataset.value;
      input.setRangeText(word.endsWith(":") ? word : `${word} `, start, end, "end");
      close();
      suggest();
    };
    async function suggest() {
      const mine = ++asked;
      const typed = input.value.slice(0, input.selectionStart);
      const word = typed.slice(typed.search(/\S*$/));
      const answer = await fetch(`${box.dataset.complete}?word=${encodeURIComponent(word)}`, { headers: { "HX-Request": "true" } });
      if (mine !== asked || !answer.ok) return;
      const { options: found } = await answer.json();
      if (mine !== asked) return;
      const chosen = options()[at()]?.dataset.value; // by whoever was faster than the answer
      list.replaceChildren(...found.map(({ value, words }, n) => {
        const option = document.createElement("div");
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.id = `${list.id}-${n}`;
        option.dataset.value = value;
        const name = document.createElement("b");
        name.textContent = value;
        const note = document.createElement("span");
        note.textContent = words;
        option.append(name, note);
        return option;
      }));
      const shown = found.length > 0 && document.activeElement === input;
      list.hidden = !shown;
      input.setAttribute("aria-expanded", String(shown));
      input.removeAttribute("aria-activedescendant");
      select(found.findIndex(({ value }) => value === chosen));
    }
    input.addEventListener("input", suggest);
    input.addEventListener("focus", suggest);
    input.addEventListener("blur", () => setTimeout(close, 150));
    list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) take(option);
    });
    input.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      const count = options().length;
      if (event.key === "ArrowDown") select((at() + 1) % count);
      else if (event.key === "ArrowUp") select((at() + count - 1) % count);
      else if ((event.key === "Enter" || event.key === "Tab") && at() >= 0) take(options()[at()]);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // ---------------------------------------------------------------- keys
  let before = "";
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (typing) return event.target.blur();
    if (document.querySelector("dialog[open]")) return;
    const key = event.key;
    if (before === "g") {
      before = "";
      document.querySelector(`a[data-letter="${CSS.escape(key)}"]`)?.click();
    } else if (key === "g") before = "g";
    else if (key === "/") { event.preventDefault(); document.querySelector(".search input")?.focus(); }
    else if (key === "?") document.getElementById("help")?.showModal();
    else if (key === "p") toggle?.click();
    else if (key === "j" || key === "k") {
      const rows = all("tbody tr:has(a)");
      const now = rows.findIndex((row) => row.classList.contains("here"));
      const next = rows[Math.max(0, Math.min(rows.length - 1, key === "j" ? now + 1 : now < 0 ? 0 : now - 1))];
      rows[now]?.classList.remove("here");
      next?.classList.add("here");
      next?.querySelector("a").focus();
      next?.scrollIntoView({ block: "nearest" });
    }
  });

  // ---------------------------------------------------------------- a link that lets in once: its secret is behind the #
  const entrance = document.getElementById("sign-in");
  const once = location.hash.match(/^#once=([0-9a-f]{64})$/);
  if (entrance && once) {
    history.replaceState(null, "", location.pathname + location.search);
    const field = entrance.elements.namedItem("once");
    field.value = once[1];
    entrance.addEventListener("htmx:afterRequest", () => { field.value = ""; }, { once: true });
    document.addEventListener("DOMContentLoaded", () => window.htmx.trigger(entrance, "submit")); // htmx is ready by then
  }
})();
