// The chart of one symbol as SVG: closes, past ranges against what happened, and the ranges ahead.
const PARTS = 10_000;
const BANDS = [[95, 0, 6], [80, LOW, HIGH], [50, 2, 4]];

// What is plotted of a symbol: `points` one for each session of the window, `ahead` the forecasts after the last.
const seriesOf = (market, symbol, horizon, sessions) => {
  const all = market.sessions;
  const first = sessions ? Math.max(0, all.length - sessions) : 0;
  const past = market.past.find((one) => one.horizon === horizon);
  const edge = (side, at) => {
    const line = past?.[side][symbol] ?? [];
    const value = line[at - (all.length - line.length)];
    const close = market.closes[symbol][at];
    return missing(value) || missing(close) ? null : close * (1 + value / PARTS);
  };
  const points = all.map((session, at) => ({
    session, close: market.closes[symbol][at] ?? null, low: edge("low", at), high: edge("high", at),
  }));
  for (const point of points) point.inside = point.low === null ? null : point.low <= point.close && point.close <= point.high;
  const ahead = market.forecasts.map((forecast) => forecastOf(forecast, symbol))
    .filter((one) => one && !missing(one.price) && all.at(-1) === one.forecast.origin)
    .sort((a, b) => a.forecast.horizon - b.forecast.horizon);
  return { points: points.slice(first), ahead };
};

// Round values that divide a range into about `count` steps.
const ticks = (low, high, count) => {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find((one) => power * one >= raw * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high * (1 + 1e-12); at += 1) found.push(at * step);
  return found;
};

const path = (points) => points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
// Runs of points without a gap.
const runs = (points, present) => points.reduce((found, point, at) => {
  if (!present(point)) return found;
  if (at && present(points[at - 1])) found.at(-1).push([point, at]);
  else found.push([[point, at]]);
  return found;
}, []);

const drawChart = (place, series, width, height) => {
  const { points, ahead } = series;
  const reach = ahead.length ? ahead.at(-1).forecast.horizon : 0;
  const values = [
    ...points.flatMap((point) => [point.close, point.low, point.high]), ...ahead.flatMap((one) => [one.quantiles[0], one.quantiles[6]]),
  ].filter((value) => !missing(value));
  const pad = 0.04 * (Math.max(...values) - Math.min(...values)) || 0.01 * Math.abs(values[0] || 1);
  const [low, high] = [Math.min(...values) - pad, Math.max(...values) + pad];
  const margin = { left: 4, right: 58, top: 10, bottom: 24 };
  const x = (at) => margin.left + (at * (width - margin.left - margin.right)) / Math.max(1, points.length - 1 + reach);
  const y = (value) => margin.top + ((high - value) * (height - margin.top - margin.bottom)) / (high - low);
  const right = width - margin.right;
  const last = points.length - 1;
  const grid = ticks(low, high, height < 300 ? 4 : 6).map((value) =>
    `<path class="grid" d="M${margin.left} ${y(value).toFixed(1)}H${right}"/><text x="${right + 6}" y="${(y(value) + 4).toFixed(1)}">${price(value)}</text>`);
  const months = points.map((point, at) => ({ at, month: point.session.slice(0, 7) })).filter(({ month }, at, all) => at && month !== all[at - 1].month);
  const every = Math.ceil(months.length / Math.max(2, Math.floor(width / 130)));
  const dates = months.filter((_, at) => at % every === 0).map(({ at, month }) =>
    `<path class="grid" d="M${x(at).toFixed(1)} ${margin.top}V${height - margin.bottom}"/><text x="${(x(at) + 4).toFixed(1)}" y="${height - 8}">${month}</text>`);
  const band = runs(points, (point) => point.low !== null).map((run) =>
    `<path class="past" d="${path([...run.map(([point, at]) => [x(at), y(point.high)]), ...run.reverse().map(([point, at]) => [x(at), y(point.low)])])}Z"/>`);
  const closes = runs(points, (point) => point.close !== null).map((run) => `<path class="close" d="${path(run.map(([point, at]) => [x(at), y(point.close)]))}"/>`);
  const outside = points.map((point, at) => (point.inside === false ? `<circle class="outside" cx="${x(at).toFixed(1)}" cy="${y(point.close).toFixed(1)}" r="3"/>` : ""));
  const fan = ahead.length ? BANDS.map(([name, below, above]) => {
    const level = (quantile) => [[x(last), y(ahead[0].price)], ...ahead.map((one) => [x(last + one.forecast.horizon), y(one.quantiles[quantile])])];
    return `<path class="fan-${name}" d="${path([...level(above), ...level(below).reverse()])}Z"/>`;
  }) : [];
  const median = ahead.length ? [`<path class="median" d="${path([[x(last), y(ahead[0].price)], ...ahead.map((one) => [x(last + one.forecast.horizon), y(one.quantiles[MEDIAN])])])}"/>`,
    `<path class="origin" d="M${x(last).toFixed(1)} ${margin.top}V${height - margin.bottom}"/>`] : [];
  place.setAttribute("viewBox", `0 0 ${width} ${height}`);
  place.setAttribute("height", height);
  place.innerHTML = [...grid, ...dates, ...band, ...fan, ...median, ...closes, ...outside].join("") +
    `<path class="cursor" d="M-9 ${margin.top}V${height - margin.bottom}"/>`;
  return { x, at: (pixel) => Math.round(((pixel - margin.left) * Math.max(1, points.length - 1 + reach)) / (width - margin.left - margin.right)) };
};
