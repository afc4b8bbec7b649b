// Buttons that copy a text. Without scripts, all pages can still be read and all forms sent.
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
    // The browser does not allow it: select the text, so that the user can copy it.
    getSelection().selectAllChildren(source);
    said.textContent = "Selected";
  }
  button.parentElement.querySelector(".copied")?.remove();
  button.before(said);
  setTimeout(() => said.remove(), 2500);
});
