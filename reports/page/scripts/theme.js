// Light or dark: as the system wants it until the reader chooses.

const KEPT = "deltatrain-theme";

function keptTheme() {
  try { return localStorage.getItem(KEPT) } catch { return null } // a page that is a file may have no store
}

function keepTheme(theme) {
  try { localStorage.setItem(KEPT, theme) } catch { /* then it lasts until the page is closed */ }
}

function startTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-pressed", String(theme === "dark"));
  };
  const follow = () => show(keptTheme() ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", follow);
  button.addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    keepTheme(theme);
    show(theme);
  });
  button.hidden = false;
  follow();
}

startTheme(document.getElementById("theme"));
