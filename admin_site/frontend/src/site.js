// What every page does: parts by htmx, menus, forms that are sent once and never lost.
// Without this file the pages can still be read and their forms sent.

import "htmx.org";

// --- menus ------------------------------------------------------------------------

const menus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of menus()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }
});

// --- a form is sent once ----------------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
  if (!("once" in form.dataset)) return;
  if ("sent" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  for (const button of form.querySelectorAll("[type=submit]")) {
    button.setAttribute("aria-disabled", "true");
  }
});

// A page that comes back with the back button may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[type=submit]")) {
      button.removeAttribute("aria-disabled");
    }
  }
});

// --- unsaved changes --------------------------------------------------------------

const guarded = document.querySelector("form[data-guard]");
let mayLeave = true;

const values = (form) => {
  const pairs = [...new FormData(form)];
  return JSON.stringify(pairs.filter(([name]) => name !== "csrfmiddlewaretoken"));
};

function guard(form) {
  const before = values(form);
  // A form that came back with errors holds what has not been saved.
  const cameBack = form.querySelector(".errorlist") !== null;
  const check = () => {
    mayLeave = !cameBack && values(form) === before;
  };
  form.addEventListener("input", check);
  form.addEventListener("change", check);
  form.addEventListener("submit", () => {
    mayLeave = true;
  });
  check();
  window.addEventListener("beforeunload", (event) => {
    if (!mayLeave) event.preventDefault();
  });
  document.addEventListener("click", askBeforeLeaving);
}

function askBeforeLeaving(event) {
  const link = event.target.closest?.("a[href]");
  const dialog = document.getElementById("leave-dialog");
  if (mayLeave || !link || !dialog || event.defaultPrevented) return;
  const opensElsewhere = event.ctrlKey || event.metaKey || event.shiftKey || link.target;
  if (opensElsewhere || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  dialog.querySelector("[data-leave=go]").onclick = () => {
    mayLeave = true;
    window.location.assign(link.href);
  };
  dialog.querySelector("[data-leave=stay]").onclick = () => dialog.close();
  dialog.showModal();
}

if (guarded) guard(guarded);

// --- small conveniences -----------------------------------------------------------

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      window.getSelection().selectAllChildren(source);
      return;
    }
    button.textContent = button.dataset.copied;
    setTimeout(() => {
      button.textContent = label;
    }, 3000);
  });
}

// <div data-shown-when="name=value"> follows the radio buttons of that name.
for (const part of document.querySelectorAll("[data-shown-when]")) {
  const [name, value] = part.dataset.shownWhen.split("=");
  const form = part.closest("form");
  const follow = () => {
    part.hidden = new FormData(form).get(name) !== value;
  };
  form.addEventListener("change", follow);
  follow();
}

// Whoever was signed out meanwhile gets the sign-in page, whole and not as a part.
document.addEventListener("htmx:beforeSwap", (event) => {
  const address = event.detail.xhr.responseURL;
  if (address && new URL(address).pathname.startsWith("/accounts/")) {
    event.detail.shouldSwap = false;
    window.location.reload();
  }
});
