// Colours by a column: words get one each, numbers a ramp from low to high.

const WORDS_MOST = 8, RAMP = 8, STEPS = 5; // as many as the style sheet has; steps hold equally many points

function distinctOf(column) {
  return [...new Set(column.values)].sort((a, b) => inOrder(a, b, 1));
}

function ramp(at, count) {
  return `ramp ramp-${Math.round((at * (RAMP - 1)) / Math.max(1, count - 1))}`;
}

// Return the class of each value's colour, and the key: pairs of a class and words.
function colouring(column) {
  if (!column) return { of: () => "plain", key: [] };
  const distinct = distinctOf(column).filter((value) => value !== null);
  if (distinct.length <= WORDS_MOST) {
    const kinds = new Map(distinct.map((value, at) => [value, column.numeric ? ramp(at, distinct.length) : `line-${at}`]));
    return { of: (value) => kinds.get(value) ?? "plain", key: [...kinds].map(([value, kind]) => [kind, say(column, value)]) };
  }
  if (!column.numeric) return { of: () => "plain", key: [["plain", `${distinct.length} different values`]] };
  return steps(column);
}

function steps(column) {
  const sorted = column.values.filter((value) => value !== null).sort((a, b) => a - b);
  const bounds = Array.from({ length: STEPS }, (_, step) => sorted[Math.floor((step * sorted.length) / STEPS)]);
  const stepOf = (value) => Math.max(0, bounds.findLastIndex((bound) => value >= bound));
  const ends = [...bounds.slice(1), sorted.at(-1)];
  return {
    of: (value) => (value === null ? "plain" : ramp(stepOf(value), STEPS)),
    key: bounds.map((bound, step) => [ramp(step, STEPS), `${say(column, bound)} to ${say(column, ends[step])}`]),
  };
}
