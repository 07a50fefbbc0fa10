// Where values lie on an axis, between 0 and 1, and where it is marked.

const LOGARITHMIC_FROM = 20; // times that the largest value is the smallest

function axisOf(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low > 0 && high / low > LOGARITHMIC_FROM ? logarithmic(low / 1.15, high * 1.15) : linear(low, high);
}

function logarithmic(low, high) {
  const [from, length] = [Math.log(low), Math.log(high / low)], ticks = [];
  const factors = high / low < 300 ? [1, 2, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    ticks.push(...factors.map((factor) => Number(`${factor}e${power}`)).filter((mark) => mark >= low && mark <= high));
  }
  return { ticks, place: (value) => (Math.log(value) - from) / length };
}

function linear(least, most) {
  const room = (most - least || Math.abs(most) || 1) * 0.05;
  const low = least >= 0 && least < room ? 0 : least - room, high = most + room;
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power, ticks = [];
  for (let mark = Math.ceil(low / step); mark * step <= high; mark++) ticks.push(Number((mark * step).toPrecision(12)));
  return { ticks, place: (value) => (value - low) / (high - low) };
}

// The marks that keep `gap` pixels between them on an axis `length` pixels long.
function spaced(axis, length, gap) {
  let last = -Infinity;
  return axis.ticks.filter((mark) => {
    const at = axis.place(mark) * length;
    if (at - last < gap) return false;
    last = at;
    return true;
  });
}
