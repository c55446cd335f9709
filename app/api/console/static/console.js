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
