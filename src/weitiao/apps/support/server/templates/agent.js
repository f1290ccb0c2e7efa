"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const words = JSON.parse(at("words").textContent);
  const { me, titles } = JSON.parse(at("told").textContent);
  const [log, text, problem] = ["log", "text", "problem"].map(at);
  const title = document.title;
  let chosen = "", wanted = ["waiting", "agent"], last = 0, heard = "", known = null, sending = null, busy = false;

  const draw = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  function make(name, className, content) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (content !== undefined) element.textContent = content;
    return element;
  }

  async function call(path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(`/v1/agent/${path}`, { ...options, cache: "no-store" });
    const found = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(found.error.message), { status: answer.status });
    return found;
  }

  // The inbox.

  function since(seconds) {
    const minutes = Math.max(0, Math.floor((Date.now() / 1000 - seconds) / 60));
    if (minutes < 1) return words.now;
    if (minutes < 60) return `${minutes} ${words.minutes}`;
    return minutes < 2880 ? `${Math.floor(minutes / 60)} ${words.hours}` : `${Math.floor(minutes / 1440)} ${words.days}`;
  }

  function standing(one) {
    if (one.status === "agent") return one.agent === me ? words.mine : words.other;
    return { waiting: words.waits, bot: words.withbot, closed: words.ended }[one.status];
  }

  function row(one) {
    const button = make("button");
    button.type = "button";
    button.dataset.id = one.id;
    if (one.id === chosen) button.setAttribute("aria-current", "true");
    const top = make("span", "top");
    if (one.priority !== "normal") top.append(make("span", `pill ${one.priority}`, words[one.priority]));
    top.append(make("span", "", standing(one)), make("span", "", one.channel), make("span", "", since(one.waiting_at || one.updated_at)));
    button.append(top, make("span", "last", one.last));
    button.addEventListener("click", () => { location.hash = one.id; });
    const item = make("li");
    item.append(button);
    return item;
  }

  let drawn = "";
  async function refreshInbox() {
    const { conversations } = await call(`inbox?${wanted.map((each) => `status=${each}`).join("&")}`);
    const waiting = conversations.filter((one) => one.status === "waiting").length;
    document.title = waiting ? `(${waiting}) ${title}` : title;
    const rows = conversations.map(row);
    const now = rows.map((each) => each.innerHTML).join();
    if (now === drawn) return;
    drawn = now;
    const focused = document.activeElement?.dataset?.id;
    at("list").replaceChildren(...rows);
    if (focused) at("list").querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
    at("none").hidden = conversations.length > 0;
  }

  // One conversation.

  function said(message) {
    const mine = message.author === "agent";
    const element = make("div", `said ${mine ? "mine" : message.author}`);
    const by = mine && message.details.agent === me ? words.you : words[message.author];
    element.append(make("span", "by", `${by} · ${new Date(message.at * 1000).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" })}`));
    element.append(make("p", "text", message.text));
    return element;
  }

  async function refreshTalk() {
    const asked = chosen;
    if (!asked) return;
    const found = await call(`conversations/${asked}?after=${last}`);
    if (asked !== chosen) return;
    for (const message of found.messages) {
      if (message.number <= last) continue;
      log.append(said(message));
      last = message.number;
      if (message.author === "customer") heard = message.number;
      if (message.author === "note") known = message.details;
    }
    if (found.messages.length) log.scrollTop = log.scrollHeight;
    log.removeAttribute("aria-busy");
    const mine = found.status === "agent" && found.agent === me;
    at("whose").textContent = `${words.customer} ${found.customer} · ${standing(found)}`;
    at("take").hidden = mine || found.status === "closed" || found.status === "agent";
    at("return").hidden = at("end").hidden = !mine;
    text.disabled = at("send").disabled = !mine || busy;
    facts(found);
    if (heard !== suggestedFor) await suggest(asked);
    for (const button of at("suggestions").querySelectorAll("button")) button.disabled = !mine;
  }

  let told = "";
  function facts(found) {
    const rows = [[words.priority, words[found.priority]], [words.channel, found.channel]];
    if (found.state.language) rows.push([words.language, { en: "English", zh: "中文" }[found.state.language]]);
    if (found.state.intent) rows.push([words.subject, titles[found.state.intent] || found.state.intent]);
    for (const [name, value] of Object.entries(found.state.slots || {})) rows.push([name, value]);
    for (const [name, share] of known?.guess || []) rows.push([words.guess, `${titles[name] || name} ${Math.round(100 * share)} %`]);
    const now = JSON.stringify(rows);
    if (now === told) return;
    told = now;
    at("facts").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
  }

  let suggestedFor = "";
  async function suggest(asked) {
    suggestedFor = heard;
    const { suggestions } = await call(`conversations/${asked}/suggestions`);
    if (asked !== chosen) return;
    at("nothing").hidden = suggestions.length > 0;
    at("suggestions").replaceChildren(...suggestions.map((each) => {
      const button = make("button");
      button.type = "button";
      const head = make("span", "title", each.source ? `${words.source}: ${each.source}` : each.title);
      head.append(make("span", "", `${Math.round(100 * each.share)} %`));
      button.append(head, make("span", "body", each.text));
      button.addEventListener("click", () => { text.value = each.text; text.focus(); });
      const item = make("li");
      item.append(button);
      return item;
    }));
  }

  function open(id) {
    chosen = id;
    [last, heard, known, told, suggestedFor, drawn] = [0, "", null, "", "", ""];
    log.replaceChildren();
    log.setAttribute("aria-busy", "true"); // what was said before isn't news
    at("suggestions").replaceChildren();
    at("facts").replaceChildren();
    problem.hidden = true;
    text.value = "";
    at("conversation").hidden = at("beside").hidden = !id;
    at("empty").hidden = Boolean(id);
    document.body.classList.toggle("reading", Boolean(id));
    look();
  }

  async function act(what) {
    problem.hidden = true;
    try {
      await call(`conversations/${chosen}/${what}`, {});
      if (what === "take") setTimeout(() => text.focus(), 0);
    } catch (error) {
      complain(error);
    }
    look();
  }

  function complain(error) {
    problem.textContent = error.status ? error.message : words.failed;
    problem.hidden = false;
  }

  at("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const content = text.value.trim();
    if (!content || busy) return;
    busy = true;
    if (sending?.content !== content) sending = { id: draw(), content }; // the same again: the same id
    problem.hidden = true;
    try {
      await call(`conversations/${chosen}/messages`, { text: content, id: sending.id });
      text.value = "";
      sending = null;
    } catch (error) {
      if (error.status) sending = null;
      complain(error);
    }
    busy = false;
    await look();
    text.focus();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    at("form").requestSubmit();
  });
  at("take").addEventListener("click", () => act("take"));
  at("return").addEventListener("click", () => act("give-back"));
  at("end").addEventListener("click", () => act("close"));
  at("back").addEventListener("click", () => { location.hash = ""; });
  for (const tab of document.querySelectorAll(".tab")) {
    tab.addEventListener("click", () => {
      wanted = tab.dataset.status.split(" ");
      for (const other of document.querySelectorAll(".tab")) other.setAttribute("aria-pressed", String(other === tab));
      look();
    });
  }
  addEventListener("hashchange", () => open(location.hash.slice(1)));

  // One look at a time.
  let looking = false, again = false;
  async function look() {
    if (looking) { again = true; return; }
    looking = true;
    try {
      await refreshTalk();
      await refreshInbox();
      at("stale").hidden = true;
    } catch (error) {
      if (error.status === 404) location.hash = ""; // it was deleted
      else at("stale").hidden = false;
    }
    looking = false;
    if (again) { again = false; look(); }
  }
  setInterval(look, 1000);
  open(location.hash.slice(1));
})();
