"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const words = JSON.parse(at("words").textContent);
  const [log, text, person, anew, state] = ["log", "text", "person", "anew", "state"].map(at);
  const framed = window.parent !== window;
  const title = document.title;
  // The conversation outlives the page; what isn't sent yet belongs to this tab. A browser that keeps nothing for frames
  // of other sites leaves it to the page around us, which is one of those that may hold us.
  const refused = (() => { try { return !localStorage; } catch { return framed; } })();
  let recalled = {};
  const kept = (storage, name) => ({
    get: () => { try { return refused ? recalled[name] ?? null : JSON.parse(storage().getItem(name)); } catch { return null; } },
    set: (value) => {
      if (refused) parent.postMessage({ weitiao: "keep", name, value }, "*");
      else try { storage().setItem(name, JSON.stringify(value)); } catch { /* then for this page alone */ }
    },
  });
  const keptConversation = kept(() => localStorage, "weitiao.conversation");
  const keptPending = kept(() => sessionStorage, "weitiao.pending");

  let conversation = null;
  const pending = []; // {id, text, person}
  const shown = new Map(); // number -> element
  const bubbles = new Map(); // id of what is pending -> element
  let last = 0, status = "bot", following = null, pumping = false, hidden = false, writing = null;

  const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const draw = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  function make(name, className, content) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (content !== undefined) element.textContent = content;
    return element;
  }

  function icon(path, turned) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    if (turned) line.setAttribute("transform", "rotate(180 8 8)");
    svg.append(line);
    return svg;
  }

  // Talking to the server.

  function call(path, options = {}) {
    const headers = { ...options.headers };
    if (conversation) headers.Authorization = `Bearer ${conversation.secret}`;
    if (options.body) headers["Content-Type"] = "application/json";
    return fetch(path, { ...options, headers, cache: "no-store" });
  }

  async function events(answer, take) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
        const fields = {};
        for (const line of rest.slice(0, end).split("\n")) fields[line.slice(0, line.indexOf(":"))] = line.slice(line.indexOf(":") + 2);
        if (fields.event) take(fields.event, JSON.parse(fields.data));
      }
    }
  }

  async function begin() {
    const answer = await call("/v1/conversations", { method: "POST", body: "{}" });
    if (!answer.ok) throw answer;
    remember(await answer.json());
    follow();
  }

  function remember(found) {
    conversation = found;
    keptConversation.set(found);
    anew.hidden = !found;
    if (found) return;
    following?.abort();
    last = 0;
    shown.clear(); // what was said stays on the page; a new conversation counts from 1
  }

  async function follow() {
    following?.abort();
    const mine = following = new AbortController();
    for (let pause = 500; conversation && !mine.signal.aborted; pause = Math.min(2 * pause, 8000)) {
      try {
        const path = `/v1/conversations/${conversation.id}/events`;
        const answer = await call(path, { headers: { "Last-Event-ID": String(last) }, signal: mine.signal });
        if (answer.status === 401 || answer.status === 404) return remember(null); // it was deleted
        if (answer.ok) {
          pause = 500;
          connected(true);
          await events(answer, (kind, value) => (kind === "message" ? show(value) : kind === "status" && become(value.status)));
          if (status === "closed") return;
        }
      } catch { /* told below */ }
      if (mine.signal.aborted) return;
      await sleep(pause);
      connected(pause < 1000);
    }
  }

  async function pump() {
    if (pumping) return;
    pumping = true;
    for (let pause = 500; pending.length;) {
      const one = pending[0];
      try {
        if (!conversation) await begin();
        wait(status === "bot");
        const path = `/v1/conversations/${conversation.id}/${one.person ? "person" : "messages"}`;
        const body = JSON.stringify(one.person ? { id: one.id } : { id: one.id, text: one.text });
        const answer = await call(path, { method: "POST", body, headers: { Accept: "text/event-stream" } });
        if (!answer.ok) throw answer;
        let done = false, refused = null;
        await events(answer, (kind, value) => {
          if (kind === "turn") { show({ ...one, author: "customer", number: value.number }); become(value.status); }
          if (kind === "message") show(value);
          if (kind === "done") done = true;
          if (kind === "error") refused = value;
        });
        if (refused) throw refused;
        if (!done) throw new Error("broken off");
        drop(one);
        pause = 500;
        connected(true);
      } catch (error) {
        wait(false);
        const told = error instanceof Response ? (await error.json().catch(() => ({}))).error || {} : error;
        if (told.code === "closed" || told.code === "secret" || told.code === "conversation") remember(null);
        else if (error instanceof Response && [413, 415, 422].includes(error.status)) refuse(one, told.message);
        else {
          const after = error instanceof Response && Number(error.headers.get("Retry-After")) * 1000;
          connected(Boolean(after));
          await sleep(after || pause);
          pause = Math.min(2 * pause, 8000);
        }
      }
    }
    wait(false);
    pumping = false;
  }

  function say(content, wish = false) {
    const one = { id: draw(), text: content, person: wish };
    pending.push(one);
    keptPending.set(pending);
    sketch(one);
    pump();
  }

  function drop(one) {
    pending.splice(pending.indexOf(one), 1);
    keptPending.set(pending);
    buttons();
  }

  function refuse(one, why) {
    drop(one);
    const bubble = bubbles.get(one.id);
    if (bubble) bubble.querySelector(".under").textContent = [words.refused, why].filter(Boolean).join(": ");
  }

  // What is seen.

  function sketch(one) {
    const bubble = said({ author: "customer", text: one.text });
    bubble.classList.add("pending");
    bubble.append(make("div", "under", words.sending));
    bubbles.set(one.id, bubble);
    log.append(bubble);
    chosen();
    scroll();
    buttons();
  }

  function chosen() {
    for (const button of log.querySelectorAll(".choices button")) button.disabled = true;
    at("questions").hidden = true;
  }

  function said(message) {
    const mine = message.author === "customer";
    const element = make("div", `said ${mine ? "mine" : message.author}`);
    element.append(make("span", "by", mine ? words.you : message.author === "agent" ? words.agent : words.bot));
    let lines = message.text.split("\n");
    const choices = message.choices || [];
    lines = lines.filter((line) => !choices.some((choice, place) => line === `${place + 1}. ${choice}`));
    if (message.source && lines.at(-1).includes(message.source)) lines.pop();
    element.append(make("p", "text", lines.join("\n")));
    return element;
  }

  function show(message) {
    if (shown.has(message.number)) return;
    bubbles.get(message.id)?.remove();
    bubbles.delete(message.id);
    const element = said(message);
    if (message.author === "customer") chosen();
    if (message.source) {
      const where = [message.title, message.source].filter(Boolean).join(" · ");
      element.append(make("div", "under", `${words.source}: ${where}`));
    }
    if (message.choices) {
      const choices = make("div", "choices");
      for (const [place, choice] of message.choices.entries()) {
        const button = make("button", "", `${place + 1}. ${choice}`);
        button.type = "button";
        button.addEventListener("click", () => { say(choice); settle(); });
        choices.append(button);
      }
      element.append(choices);
    }
    if (["answer", "found"].includes(message.act)) element.append(rating(message));
    const before = [...shown].filter(([number]) => number < message.number).map(([, other]) => other).at(-1);
    shown.set(message.number, element);
    if (before) before.after(element);
    else if (bubbles.size) bubbles.values().next().value.before(element);
    else log.append(element);
    last = Math.max(last, message.number);
    if (message.author === "agent" && (hidden || document.hidden)) {
      if (framed) parent.postMessage({ weitiao: "unread" }, "*"); // says nothing more
      document.title = `● ${title}`;
    }
    if (writing) log.append(writing);
    scroll();
  }

  function rating(message) {
    const group = make("div", "under");
    const thumbs = make("span", "rating");
    const up = "M5 7v6H3V7zM5 7l3-5c1.3 0 1.8 1 1.5 2.2L9 6.5h3.4c.9 0 1.4.8 1.2 1.6l-1 3.8c-.2.7-.7 1.1-1.4 1.1H5";
    for (const [value, name] of [[1, words.good], [-1, words.bad]]) {
      const button = make("button");
      button.type = "button";
      button.title = name;
      button.setAttribute("aria-label", name);
      button.setAttribute("aria-pressed", String(message.rating === value));
      button.append(icon(up, value < 0));
      button.addEventListener("click", async () => {
        const path = `/v1/conversations/${conversation.id}/messages/${message.number}/rating`;
        const answer = await call(path, { method: "POST", body: JSON.stringify({ rating: value }) }).catch(() => null);
        if (!answer?.ok) return;
        for (const other of thumbs.children) other.setAttribute("aria-pressed", String(other === button));
      });
      thumbs.append(button);
    }
    group.append(thumbs);
    return group;
  }

  function wait(on) {
    writing?.remove();
    writing = null;
    if (!on) return;
    writing = make("div", "said bot writing");
    writing.setAttribute("aria-label", `${words.bot} ${words.writing}`);
    writing.append(make("p", "text", "•••"));
    log.append(writing);
    scroll();
  }

  let online = true;
  function connected(now) {
    online = now;
    tell();
  }

  function become(now) {
    status = now;
    log.removeAttribute("aria-busy");
    tell();
    buttons();
  }

  function tell() {
    const line = !online ? words.offline : { waiting: words.waiting, agent: words.with, closed: words.closed }[status] || "";
    if (state.textContent !== line) state.textContent = line;
  }

  function buttons() {
    person.disabled = ["waiting", "agent"].includes(status) || pending.some((one) => one.person);
  }

  function scroll() {
    log.scrollTop = log.scrollHeight;
  }

  function grow() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
  }

  function settle() {
    if (matchMedia("(pointer: fine)").matches) text.focus(); // on a phone that would open the keyboard
  }

  // What the customer does.

  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const content = text.value.trim();
    if (!content) return;
    text.value = "";
    grow();
    say(content);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    at("form").requestSubmit();
  });
  text.addEventListener("input", grow);
  for (const button of at("questions").children) button.addEventListener("click", () => { say(button.textContent); settle(); });
  person.addEventListener("click", () => { say(words.wish, true); settle(); });
  anew.addEventListener("click", () => {
    keptConversation.set(null);
    keptPending.set([]);
    location.reload();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) document.title = title; });
  if (framed) {
    const close = () => parent.postMessage({ weitiao: "close" }, "*");
    at("close")?.addEventListener("click", close);
    document.addEventListener("keydown", (event) => event.key === "Escape" && close());
    addEventListener("message", (event) => {
      if (event.source !== parent || !event.data) return;
      if (event.data.weitiao === "hidden") hidden = true;
      if (event.data.weitiao === "recalled") { recalled = event.data.values; start(); }
      if (event.data.weitiao === "shown") { hidden = false; document.title = title; settle(); }
    });
  }

  function start() {
    conversation = keptConversation.get();
    pending.push(...(keptPending.get() || []));
    anew.hidden = !conversation;
    if (conversation) {
      log.setAttribute("aria-busy", "true"); // what was said before isn't news
      follow();
    }
    pending.forEach(sketch);
    pump();
  }

  if (refused) parent.postMessage({ weitiao: "recall" }, "*");
  else start();
})();
