// What the pages do besides htmx: buttons that copy. Without scripts everything can still be read and sent.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copies);
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.className = "copied";
  try {
    await navigator.clipboard.writeText(source.textContent);
    said.textContent = "Copied";
  } catch {
    // Not allowed here: selected, so that the keys for copying work.
    getSelection().selectAllChildren(source);
    said.textContent = "Selected";
  }
  button.parentElement.querySelector(".copied")?.remove();
  button.before(said);
  setTimeout(() => said.remove(), 2500);
});
