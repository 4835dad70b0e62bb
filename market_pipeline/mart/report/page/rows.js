// The rows of the table of forecasts: one for each symbol of each market at one horizon, and its columns.
const MEDIAN = 3;
const LOW = 1;
const HIGH = 5;
const address = (market, symbol) => `#symbol/${encodeURIComponent(market)}/${encodeURIComponent(symbol)}`;

// What a forecast has of one symbol; null where it has none.
const forecastOf = (forecast, symbol) => {
  const at = forecast.at.indexOf(symbol);
  if (at < 0) return null;
  const found = { forecast };
  for (const name of ["trend", "p_up", "price", "quantiles", "expected", "low", "high", "moved", "expected_change", "width_change", "var_025", "es_025"]) {
    found[name] = forecast[name][at];
  }
  return found;
};

const after = (price, change) => (missing(change) ? null : price * (1 + change));
const newestClose = (market, symbol) => market.closes[symbol].findLast((close) => close !== null) ?? null;

const rowsOf = (horizon) => markets.flatMap((market) => {
  const forecasts = market.forecasts.filter((one) => one.horizon === horizon);
  return market.symbols.map((name, symbol) => {
    const row = { market: market.name, name, close: newestClose(market, symbol), reason: market.reasons[symbol] };
    const found = forecasts.map((forecast) => forecastOf(forecast, symbol)).find((one) => one);
    if (!found) return { ...row, reason: row.reason ?? "It has no forecast at this horizon." };
    const { price, quantiles } = found;
    return {
      ...row, ...found, width: found.high - found.low, forecast: found.forecast, close: price ?? row.close,
      prices: missing(price) ? { expected: null, low: null, high: null, width: null, var_025: null, es_025: null } : {
        var_025: after(price, found.var_025), es_025: after(price, found.es_025), expected: price * (1 + found.expected), low: quantiles[LOW], high: quantiles[HIGH], width: quantiles[HIGH] - quantiles[LOW],
      },
    };
  });
});

const ARROWS = { "1": ["↑", "up"], "0": ["→", "flat"], "-1": ["↓", "down"] };
const chance = (row) => {
  const [arrow, trend] = ARROWS[row.trend];
  return `<span class="trend" role="img" aria-label="${trend}">${arrow}</span> ${hundredths(row.p_up, 0)}`;
};
const either = (name, signed, decimals) => ({
  value: (row, prices) => (prices ? row.prices[name] : row[name]),
  text: (row, prices) => (prices ? price(row.prices[name]) : hundredths(row[name], decimals, signed)),
});
const change = (name, decimals) => ({
  group: "Since the last publish", unit: () => "%", value: (row) => row[name],
  text: (row) => hundredths(row[name], decimals, true),
});
const inUnits = (prices) => (prices ? "price" : "%");

// Every column of the table and of the file: title, unit, the value to sort by, and its text.
const COLUMNS = [
  { id: "market", title: "Market", value: (row) => row.market, text: (row) => escaped(row.market), words: true },
  { id: "close", title: "Close", unit: () => "price", value: (row) => row.close, text: (row) => price(row.close) },
  { id: "p_up", title: "Chance of rising", unit: () => "%", value: (row) => row.p_up, text: chance },
  { id: "expected", title: "Expected", unit: inUnits, ...either("expected", true, 2) },
  { id: "low", title: "Low", group: "80 % range", unit: inUnits, ...either("low", true, 1) },
  { id: "high", title: "High", group: "80 % range", unit: inUnits, ...either("high", true, 1) },
  { id: "width", title: "Width", group: "80 % range", unit: inUnits, ...either("width", false, 1) },
  { id: "var_025", title: "Below", group: "Worst 2.5 %", unit: inUnits, ...either("var_025", true, 1) },
  { id: "es_025", title: "Mean", group: "Worst 2.5 %", unit: inUnits, ...either("es_025", true, 1) },
  { id: "moved", title: "Close", ...change("moved", 1) },
  { id: "expected_change", title: "Expected", ...change("expected_change", 2) },
  { id: "width_change", title: "Width", ...change("width_change", 1) },
];
const SYMBOL = { id: "symbol", title: "Symbol", value: (row) => row.name, words: true };
