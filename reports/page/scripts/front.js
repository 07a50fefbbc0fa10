// The points that no other point beats in two columns, from best to worst in the first; equal points stay together.

function frontOf(points, x, y) {
  const cost = (column, point) => (column.way === "maximise" ? -1 : 1) * column.values[point];
  const ordered = [...points].sort((p, q) => cost(x, p) - cost(x, q) || cost(y, p) - cost(y, q));
  const found = [];
  for (const point of ordered) {
    const last = found.at(-1);
    const better = last === undefined || cost(y, point) < cost(y, last);
    const equal = last !== undefined && cost(x, point) === cost(x, last) && cost(y, point) === cost(y, last);
    if (better || equal) found.push(point);
  }
  return found;
}
