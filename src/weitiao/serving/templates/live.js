"use strict";
(() => {
  const stale = document.getElementById("stale");
  const shown = new Map();

  function replace(part, next) {
    if (!next || shown.get(part.id) === next.innerHTML) return;
    const selection = getSelection();
    if (!selection.isCollapsed && selection.containsNode(part, true)) return; // somebody is copying
    shown.set(part.id, next.innerHTML);
    const open = new Set([...part.querySelectorAll("details[open]")].map((fold) => fold.dataset.fold));
    for (const fold of next.querySelectorAll("details")) fold.open = open.has(fold.dataset.fold);
    part.replaceChildren(...next.childNodes);
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch("/state", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) replace(part, fresh.getElementById(part.id));
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  }

  setInterval(refresh, 5000);
})();
