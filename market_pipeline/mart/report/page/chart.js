// One chart: the closes of the selected symbol and the forecast ranges ahead of it. Reads the columns that
// range_chart.py writes; colours are those of the style sheet, so that a change of colour scheme redraws.
"use strict";
(() => {
  const markets = JSON.parse(document.getElementById("data").textContent);
  const chart = document.getElementById("chart");
  const select = document.getElementById("symbol");
  const spans = [...document.querySelectorAll(".spans button")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const coarse = matchMedia("(pointer: coarse)");
  // Name, colour, and the places of both edges among the seven quantiles.
  const RANGES = [["95", "--range-95", 0, 6], ["80", "--range-80", 1, 5], ["50", "--range-50", 2, 4]];
  const MEDIAN = 3;
  let visible = 63;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const digits = (value) => {
    const decimals = Math.abs(value) >= 1e4 ? 0 : Math.min(12, Math.max(2, 3 - Math.floor(Math.log10(Math.abs(value) || 1))));
    return value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  };
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const many = (n) => `${n} session${n === 1 ? "" : "s"}`;

  // The forecasts of one symbol, nearest target first, with its own price, quantiles and probability of a rise.
  const forecastsOf = (market, symbol) => {
    const ahead = market.forecasts.filter((forecast) => forecast.symbols.includes(symbol)).map((forecast) => {
      const at = forecast.symbols.indexOf(symbol);
      return { ...forecast, quantiles: forecast.quantiles[at], price: forecast.prices[at], p_up: forecast.p_up[at] };
    });
    return ahead.length && market.sessions.includes(ahead[0].origin) ? ahead : [];
  };

  const traces = (market, symbol, ahead) => {
    const found = [];
    if (ahead.length) {
      const when = [ahead[0].origin, ...ahead.map((forecast) => forecast.target)];
      const level = (column) => [ahead[0].price, ...ahead.map((forecast) => forecast.quantiles[column])];
      for (const [name, fill, low, high] of RANGES) {
        found.push({
          name: `${name} %`, x: [...when, ...[...when].reverse()], y: [...level(low), ...level(high).reverse()],
          fill: "toself", fillcolor: colour(fill), line: { width: 0 }, mode: "lines", hoverinfo: "skip",
        });
      }
      found.push({
        name: "median", x: when, y: level(MEDIAN), mode: "lines+markers",
        line: { color: colour("--stroke"), dash: "dash", width: 1.5 }, marker: { color: colour("--stroke"), size: 6 },
        text: ["", ...ahead.map((forecast) =>
          `<b>${many(forecast.horizon)} ahead</b>, ${forecast.target}<br>median ${digits(forecast.quantiles[MEDIAN])}` +
          RANGES.map(([name, , low, high]) =>
            `<br>${name} %: ${digits(forecast.quantiles[low])} … ${digits(forecast.quantiles[high])}`).reverse().join("") +
          `<br>P(up) ${Math.round(100 * forecast.p_up)} %${forecast.directional ? "" : " (no direction is proven)"}` +
          `<br>${escaped(forecast.model.replace(/_/g, " "))}: ${forecast.verdict}`)],
        hovertemplate: "%{text}<extra></extra>",
      });
      found.at(-1).hoverinfo = "text";
    }
    found.push({
      name: "close", x: market.sessions, y: market.closes[symbol], mode: "lines",
      line: { color: colour("--text"), width: 1.5 }, connectgaps: false,
      text: market.closes[symbol].map((close) => (close === null ? "" : digits(close))),
      hovertemplate: "%{x|%Y-%m-%d}<br>close %{text}<extra></extra>",
    });
    return found;
  };

  const layout = (market, symbol, ahead) => {
    const last = ahead.length ? ahead.at(-1).target : market.sessions.at(-1);
    const first = market.sessions.at(visible && visible < market.sessions.length ? -visible : 0);
    const axis = { gridcolor: colour("--line"), zeroline: false, linecolor: colour("--line"), tickcolor: colour("--line") };
    const inside = market.closes[symbol].slice(market.sessions.indexOf(first)).filter((close) => close !== null);
    const values = [...inside, ...ahead.flatMap((forecast) => [forecast.quantiles[0], forecast.quantiles[6]])];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = 0.05 * (high - low) || 0.01 * Math.abs(high) || 1;
    return {
      autosize: true, height: narrow.matches ? 300 : 420, showlegend: false, hovermode: "closest", hoverdistance: 40,
      margin: { l: narrow.matches ? 48 : 60, r: 12, t: 8, b: 36 },
      paper_bgcolor: colour("--background"), plot_bgcolor: colour("--background"),
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--muted") },
      hoverlabel: { bgcolor: colour("--surface"), bordercolor: colour("--muted"), font: { color: colour("--text") }, align: "left" },
      dragmode: coarse.matches ? false : "zoom",
      xaxis: { ...axis, type: "date", range: [first, Date.parse(last) + 0.02 * (Date.parse(last) - Date.parse(first))], nticks: narrow.matches ? 4 : 8, hoverformat: "%Y-%m-%d" },
      yaxis: { ...axis, ...(values.length ? { range: [low - pad, high + pad] } : {}), tickformat: high >= 1e4 ? ",.0f" : "" },
      shapes: ahead.length ? [{
        type: "line", x0: ahead[0].origin, x1: ahead[0].origin, yref: "paper", y0: 0, y1: 1,
        line: { color: colour("--muted"), width: 1, dash: "dot" },
      }] : [],
    };
  };

  // The chart as text: below it, and for readers who do not see it.
  const description = (market, symbol, ahead) => {
    const name = `${market.symbols[symbol]} (${market.name})`;
    const at = market.closes[symbol].findLastIndex((close) => close !== null);
    if (at < 0) return `${name} has no bar in the last ${many(market.sessions.length)}.`;
    const close = `${name} closed at ${digits(market.closes[symbol][at])} on ${market.sessions[at]}.`;
    if (!ahead.length) return `${close} No forecast from a session in this chart.`;
    return `${close} 80 % ranges: ` + ahead.map((forecast) =>
      `${many(forecast.horizon)} ahead ${digits(forecast.quantiles[1])} … ${digits(forecast.quantiles[5])} ` +
      `(${forecast.model.replace(/_/g, " ")}, ${forecast.verdict})`).join("; ") + ".";
  };

  const draw = () => {
    const [place, symbol] = select.value.split(":").map(Number);
    const market = markets[place];
    const ahead = forecastsOf(market, symbol);
    const text = description(market, symbol, ahead);
    Plotly.react(chart, traces(market, symbol, ahead), layout(market, symbol, ahead), { displayModeBar: false, responsive: true, doubleClick: "reset" });
    chart.setAttribute("aria-label", `Price and forecast ranges. ${text}`);
    document.getElementById("chart-text").textContent = text;
  };

  const age = () => {
    const published = document.querySelector("header time");
    const days = Math.floor((Date.now() - Date.parse(published?.dateTime)) / 864e5);
    if (days > 0) document.getElementById("age").textContent = `, ${days} day${days === 1 ? "" : "s"} ago`;
    for (const banner of document.querySelectorAll("[data-until]")) banner.hidden = Date.now() < Date.parse(banner.dataset.until);
  };

  select.addEventListener("change", draw);
  for (const button of spans) {
    button.addEventListener("click", () => {
      visible = Number(button.dataset.sessions);
      for (const other of spans) other.setAttribute("aria-pressed", String(other === button));
      draw();
    });
  }
  for (const query of [dark, narrow, coarse, matchMedia("print")]) query.addEventListener("change", draw);
  document.getElementById("explorer").hidden = false;
  document.getElementById("no-script").hidden = true;
  age();
  draw();
})();
