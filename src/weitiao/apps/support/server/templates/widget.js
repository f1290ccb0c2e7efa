// <script src="https://support.example/widget.js" async></script>: a button at the bottom of the page that opens the
// chat in a frame. The frame keeps the conversation's secret away from the page, and the page's styles from the chat.
(() => {
  "use strict";
  const script = document.currentScript;
  const origin = new URL(script.src).origin;
  const wished = script.dataset.lang || document.documentElement.lang || navigator.language || "en";
  const language = wished.toLowerCase().startsWith("zh") ? "zh" : "en";
  const words = {
    en: { open: "Chat with us", close: "Close the chat", title: "Customer service", unread: "New message" },
    zh: { open: "在线客服", close: "关闭对话", title: "客户服务", unread: "有新消息" },
  }[language];
  const colour = /^#[0-9a-f]{6}$/i.test(script.dataset.colour || "") ? script.dataset.colour : "#2368b5";

  const sheet = new CSSStyleSheet(); // a page's own policy may forbid <style>
  sheet.replaceSync(`
    :host { all: initial; }
    button { position: fixed; right: 1.25rem; bottom: 1.25rem; z-index: 2147483646; display: flex; align-items: center;
      gap: .5rem; border: 0; border-radius: 2rem; padding: .8rem 1.2rem; background: ${colour}; color: #fff; cursor: pointer;
      font: 600 16px/1.2 system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", sans-serif;
      box-shadow: 0 .2rem .8rem rgba(0, 0, 0, .3); }
    button:focus-visible { outline: 3px solid #fff; outline-offset: -5px; }
    button[data-unread]::after { content: ""; position: absolute; top: .1rem; right: .3rem; width: .8rem; height: .8rem;
      border-radius: 50%; background: #d93025; border: 2px solid #fff; }
    svg { width: 1.4rem; height: 1.4rem; fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
    iframe { position: fixed; right: 1.25rem; bottom: 5.2rem; z-index: 2147483647; width: min(24rem, calc(100vw - 2.5rem));
      height: min(38rem, calc(100vh - 7rem)); border: 0; border-radius: .8rem; background: Canvas;
      box-shadow: 0 .4rem 2rem rgba(0, 0, 0, .35); }
    [hidden] { display: none; }
    @media (max-width: 30rem) {
      iframe { inset: 0; width: 100%; height: 100%; border-radius: 0; }
    }
  `);

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "closed" });
  root.adoptedStyleSheets = [sheet];
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  const bubble = document.createElementNS("http://www.w3.org/2000/svg", "path");
  bubble.setAttribute("d", "M4 5h16v11H10l-5 4v-4H4z");
  icon.append(bubble);
  const label = document.createElement("span");
  label.textContent = words.open;
  button.append(icon, label);
  root.append(button);

  let frame = null;

  // Of the chat, where the browser lets a frame of another site keep nothing.
  function kept(values) {
    try {
      if (values) localStorage.setItem("weitiao.support", JSON.stringify(values));
      return JSON.parse(localStorage.getItem("weitiao.support")) || {};
    } catch {
      return {};
    }
  }

  function show(open) {
    if (open && !frame) {
      frame = document.createElement("iframe");
      frame.title = words.title;
      frame.src = `${origin}/?embedded=1&lang=${language}`;
      root.append(frame);
    }
    frame.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    label.textContent = open ? words.close : words.open;
    if (open) {
      delete button.dataset.unread;
      frame.focus();
    } else {
      button.focus();
    }
    frame.contentWindow.postMessage({ weitiao: open ? "shown" : "hidden" }, origin);
  }

  button.addEventListener("click", () => show(!frame || frame.hidden));
  addEventListener("message", (event) => {
    if (!frame || event.origin !== origin || event.source !== frame.contentWindow) return;
    const { weitiao: wish, name, value } = event.data || {};
    if (wish === "close") show(false);
    if (wish === "keep") kept({ ...kept(), [name]: value });
    if (wish === "recall") frame.contentWindow.postMessage({ weitiao: "recalled", values: kept() }, origin);
    if (wish === "unread" && frame.hidden) {
      button.dataset.unread = "";
      label.textContent = words.unread;
    }
  });

  const place = () => document.body.append(host);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
})();
