// Elements in one expression.

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") made.toggleAttribute(key, value); else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function draw(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function percent(share) {
  return `${(100 * share).toFixed(3)}%`;
}

function whenChanged(control, act) {
  control.addEventListener(control.type === "number" ? "input" : "change", act);
  return control;
}
