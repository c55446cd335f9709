// What htmx is told beyond its attributes: when live parts rest, and how the playground streams.
"use strict";

(() => {
  const said = document.getElementById("said");
  const pause = document.getElementById("pause");
  let isPaused = false;

  const say = (text) => {
    if (said) said.textContent = text;
  };

  // A part that somebody reads with a keyboard or has selected text in is left alone.
  const isInUse = (part) => {
    const selection = document.getSelection();
    const isSelected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    return part.contains(document.activeElement) || isSelected;
  };

  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target;
    if (!(part instanceof Element) || !part.hasAttribute("data-live")) return;
    if (isPaused || document.hidden || isInUse(part)) event.preventDefault();
  });

  let isSilent = false;
  document.addEventListener("htmx:sendError", () => {
    if (!isSilent) say("The gateway does not answer; figures are not current.");
    isSilent = true;
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (isSilent) say("The gateway answers again.");
    isSilent = false;
  });

  if (pause && document.querySelector("[data-live]")) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.setAttribute("aria-pressed", String(isPaused));
      pause.textContent = isPaused ? "Updates are paused" : "Pause updates";
      say(isPaused ? "Updates are paused." : "Updates go on.");
    });
  }
})();

// The playground: the answer is written as it comes. Without this the form sends a whole page.
(() => {
  const form = document.getElementById("ask");
  if (!form || !window.fetch || !window.TextDecoderStream) return;
  const part = (id) => document.getElementById(id);
  const seconds = (value) => (value === null ? "–" : `${value.toFixed(2)} s`);

  const row = (name, value) => {
    const term = document.createElement("dt");
    const said = document.createElement("dd");
    term.textContent = name;
    said.textContent = value;
    term.className = said.className = "mono";
    part("headers").append(term, said);
  };

  const shown = {
    head({ status, headers }) {
      row("status", String(status));
      Object.entries(headers).forEach(([name, value]) => row(name, value));
      const id = headers["x-request-id"];
      if (!id) return;
      const link = document.createElement("a");
      link.href = form.action.replace(/playground$/, `requests/${encodeURIComponent(id)}`);
      link.textContent = "Explain the request";
      part("explain").replaceChildren(link);
    },
    text({ text }) {
      part("answer").append(text);
    },
    failed({ message }) {
      part("failed").textContent = message;
      part("failed").hidden = false;
    },
    done({ first_s, took_s }) {
      part("took").textContent = `First token after ${seconds(first_s)}, all after ${seconds(took_s)}.`;
    },
    why(sentences) {
      part("why").replaceChildren(
        ...sentences.map((sentence) => {
          const item = document.createElement("li");
          item.textContent = sentence;
          return item;
        }),
      );
    },
  };

  const show = (line) => {
    if (!line) return;
    const [[kind, event]] = Object.entries(JSON.parse(line));
    shown[kind]?.(event);
  };

  const read = async (answer) => {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      lines.forEach(show);
    }
    show(rest);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    ["answer", "took", "explain", "headers", "why"].forEach((id) => part(id).replaceChildren());
    part("failed").hidden = true;
    part("result").hidden = false;
    part("result").setAttribute("aria-busy", "true");
    part("send").disabled = true;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { "x-console-stream": "yes" },
      });
      if (answer.ok) await read(answer);
      else {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const said = page.querySelector(".notice.bad p");
        shown.failed({ message: said ? said.textContent : `Status ${answer.status}` });
      }
    } catch {
      shown.failed({ message: "The gateway does not answer." });
    }
    part("result").removeAttribute("aria-busy");
    part("send").disabled = false;
  });
})();
