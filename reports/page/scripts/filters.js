// Filters, one for each column: a box to tick for each of few values, ends for a range of many.

const BOXES_MOST = 12;

// Return { box, passes }: the control, and what tells whether a point passes; nothing for many different words.
function filterOf(column, changed) {
  const distinct = distinctOf(column);
  if (column.role !== "objective" && distinct.length <= BOXES_MOST) return boxes(column, distinct, changed);
  return column.numeric ? range(column, changed) : null;
}

function boxes(column, distinct, changed) {
  const off = new Set();
  const chips = distinct.map((value) => {
    const input = make("input", { type: "checkbox", checked: true });
    whenChanged(input, () => { if (input.checked) off.delete(value); else off.add(value); changed() });
    return make("label", { class: "chip" }, input, column.role === "status" && value === null ? "none" : say(column, value));
  });
  return { box: framed(column, column.name, make("div", { class: "chips" }, ...chips)), passes: (point) => !off.has(column.values[point]) };
}

function range(column, changed) {
  const known = column.values.filter((value) => value !== null), bounds = [-Infinity, Infinity];
  const ends = [["from", Math.min(...known)], ["to", Math.max(...known)]].map(([words, extreme], end) => {
    const input = make("input", { type: "number", step: "any", placeholder: String(Number(extreme.toPrecision(4))) });
    whenChanged(input, () => { bounds[end] = input.value === "" ? [-Infinity, Infinity][end] : Number(input.value); changed() });
    return make("label", {}, words, input);
  });
  const unit = { "%": "share of 1", "×": "" }[column.unit] ?? column.unit;
  const passes = (point) => {
    const value = column.values[point];
    if (value === null) return bounds[0] === -Infinity && bounds[1] === Infinity;
    return value >= bounds[0] && value <= bounds[1];
  };
  return { box: framed(column, unit ? `${column.name}, ${unit}` : column.name, make("div", { class: "range" }, ...ends)), passes };
}

function framed(column, words, control) {
  return make("fieldset", { "data-filter": column.key }, make("legend", {}, words), control);
}
