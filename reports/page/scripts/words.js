// Values and names as the rest of the page writes them (reports/quantity.py, reports/page/table.py).

const PREFIXES = { "-15": "f", "-12": "p", "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P" };
const ABSENT = "–";

function quantity(value, unit) {
  const [digits, exponent] = value.toExponential(2).split("e").map(Number);
  const power = value ? Math.max(-15, Math.min(15, Math.floor(exponent / 3) * 3)) : 0;
  return `${Number((digits * 10 ** (exponent - power)).toPrecision(3))} ${PREFIXES[power]}${unit}`.trimEnd();
}

function say(column, value) {
  if (value === null) return ABSENT;
  if (!column.numeric) return value;
  if (column.unit === "%") return `${(100 * value).toFixed(1)} %`;
  if (column.unit === "×") return value >= 100 ? `${Math.round(value).toLocaleString("en")}×` : `${Number(value.toPrecision(3))}×`;
  if (column.count) return quantity(value, "");
  if (column.prefix) return quantity(value, column.unit);
  const plain = Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
  return `${plain} ${column.unit}`.trimEnd();
}

// A column's name; counts have their unit here, other values carry it themselves.
function titled(column) {
  return column.count && !column.name.includes(column.unit) ? `${column.name} (${column.unit})` : column.name;
}

function inWords(count) {
  return count.toLocaleString("en");
}
