// One chart: the closes of the chosen symbol and the served ranges ahead of it. Reads the columns that fans.py wrote;
// colours are those of the page's style sheet, so that a change of colour scheme redraws.
"use strict";
(() => {
  const markets = JSON.parse(document.getElementById("data").textContent);
  const chart = document.getElementById("chart");
  const select = document.getElementById("symbol");
  const spans = [...document.querySelectorAll(".spans button")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const coarse = matchMedia("(pointer: coarse)");
  const BANDS = [["95", "--f95", 0, 6], ["80", "--f80", 1, 5], ["50", "--f50", 2, 4]];
  const VERDICTS = {
    beats_baseline: "✓ beats the random walk",
    no_evidence: "○ no evidence of skill",
    worse: "× worse than the random walk",
    insufficient_data: "… too little data",
  };
  let shown = 63;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const digits = (value) => {
    const whole = Math.abs(value) >= 1e4 ? 0 : Math.min(12, Math.max(2, 3 - Math.floor(Math.log10(Math.abs(value) || 1))));
    return value.toLocaleString("en-GB", { minimumFractionDigits: whole, maximumFractionDigits: whole });
  };
  const judged = (fan) => fan.verdict === "beats_baseline" && fan.earned.length
    ? `✓ beats the random walk on ${fan.earned.join(", ")}` : VERDICTS[fan.verdict] ?? fan.verdict;
  const directed = (fan) => fan.earned.includes("return") || fan.earned.includes("direction");
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const many = (n) => `${n} session${n === 1 ? "" : "s"}`;

  // The fan of one symbol: the origin and each target, with the seven quantiles there, nearest first.
  const fanOf = (market, who) => {
    const ahead = market.fans.filter((fan) => fan.who.includes(who)).map((fan) => {
      const at = fan.who.indexOf(who);
      return { ...fan, quantiles: fan.quantiles[at], now: fan.now[at], p_up: fan.p_up[at] };
    });
    return ahead.length && market.sessions.includes(ahead[0].origin) ? ahead : [];
  };

  const traces = (market, who, ahead) => {
    const found = [];
    if (ahead.length) {
      const when = [ahead[0].origin, ...ahead.map((fan) => fan.target)];
      const level = (column) => [ahead[0].now, ...ahead.map((fan) => fan.quantiles[column])];
      for (const [name, fill, low, high] of BANDS) {
        found.push({
          name: `${name} %`, x: [...when, ...[...when].reverse()], y: [...level(low), ...level(high).reverse()],
          fill: "toself", fillcolor: colour(fill), line: { width: 0 }, mode: "lines", hoverinfo: "skip",
        });
      }
      found.push({
        name: "median", x: when, y: level(3), mode: "lines+markers",
        line: { color: colour("--stroke"), dash: "dash", width: 1.5 }, marker: { color: colour("--stroke"), size: 6 },
        text: ["", ...ahead.map((fan) =>
          `<b>${many(fan.horizon)} ahead</b>, ${fan.target}<br>median ${digits(fan.quantiles[3])}` +
          BANDS.map(([name, , low, high]) => `<br>${name} %: ${digits(fan.quantiles[low])} … ${digits(fan.quantiles[high])}`).reverse().join("") +
          `<br>P(up) ${Math.round(100 * fan.p_up)} %${directed(fan) ? "" : " (no direction is proven)"}` +
          `<br>${escaped(fan.model.replace(/_/g, " "))}: ${judged(fan)}`)],
        hovertemplate: "%{text}<extra></extra>",
      });
      found.at(-1).hoverinfo = "text";
    }
    found.push({
      name: "close", x: market.sessions, y: market.closes[who], mode: "lines",
      line: { color: colour("--ink"), width: 1.5 }, connectgaps: false,
      text: market.closes[who].map((close) => (close === null ? "" : digits(close))),
      hovertemplate: "%{x|%Y-%m-%d}<br>close %{text}<extra></extra>",
    });
    return found;
  };

  const layout = (market, who, ahead) => {
    const last = ahead.length ? ahead.at(-1).target : market.sessions.at(-1);
    const first = market.sessions.at(shown && shown < market.sessions.length ? -shown : 0);
    const axis = { gridcolor: colour("--hair"), zeroline: false, linecolor: colour("--hair"), tickcolor: colour("--hair") };
    const inside = market.closes[who].slice(market.sessions.indexOf(first)).filter((close) => close !== null);
    const values = [...inside, ...ahead.flatMap((fan) => [fan.quantiles[0], fan.quantiles[6]])];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = 0.05 * (high - low) || 0.01 * Math.abs(high) || 1;
    return {
      autosize: true, height: narrow.matches ? 300 : 420, showlegend: false, hovermode: "closest", hoverdistance: 40,
      margin: { l: narrow.matches ? 48 : 60, r: 12, t: 8, b: 36 },
      paper_bgcolor: colour("--paper"), plot_bgcolor: colour("--paper"),
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--quiet") },
      hoverlabel: { bgcolor: colour("--wash"), bordercolor: colour("--quiet"), font: { color: colour("--ink") }, align: "left" },
      dragmode: coarse.matches ? false : "zoom",
      xaxis: { ...axis, type: "date", range: [first, Date.parse(last) + 0.02 * (Date.parse(last) - Date.parse(first))], nticks: narrow.matches ? 4 : 8, hoverformat: "%Y-%m-%d" },
      yaxis: { ...axis, ...(values.length ? { range: [low - pad, high + pad] } : {}), tickformat: high >= 1e4 ? ",.0f" : "" },
      shapes: ahead.length ? [{
        type: "line", x0: ahead[0].origin, x1: ahead[0].origin, yref: "paper", y0: 0, y1: 1,
        line: { color: colour("--quiet"), width: 1, dash: "dot" },
      }] : [],
    };
  };

  // The same in words: what stands under the chart, and what a reader who does not see it is told.
  const told = (market, who, ahead) => {
    const symbol = market.symbols[who];
    const at = market.closes[who].findLastIndex((close) => close !== null);
    if (at < 0) return `${symbol} (${market.name}) has no bar in the last ${many(market.sessions.length)}.`;
    const close = `${symbol} (${market.name}) closed at ${digits(market.closes[who][at])} on ${market.sessions[at]}.`;
    if (!ahead.length) return `${close} No forecast from a session shown here.`;
    return `${close} 80 % ranges: ` + ahead.map((fan) =>
      `${many(fan.horizon)} ahead ${digits(fan.quantiles[1])} … ${digits(fan.quantiles[5])} ` +
      `(${fan.model.replace(/_/g, " ")}, ${judged(fan)})`).join("; ") + ".";
  };

  const draw = () => {
    const [place, who] = select.value.split(":").map(Number);
    const market = markets[place];
    const ahead = fanOf(market, who);
    const words = told(market, who, ahead);
    Plotly.react(chart, traces(market, who, ahead), layout(market, who, ahead), { displayModeBar: false, responsive: true, doubleClick: "reset" });
    chart.setAttribute("aria-label", `Price and ranges ahead. ${words}`);
    document.getElementById("told").textContent = words;
  };

  const age = () => {
    const published = document.querySelector("header time");
    const days = Math.floor((Date.now() - Date.parse(published?.dateTime)) / 864e5);
    if (days > 0) document.getElementById("age").textContent = `, ${days} day${days === 1 ? "" : "s"} ago`;
  };

  select.addEventListener("change", draw);
  for (const button of spans) {
    button.addEventListener("click", () => {
      shown = Number(button.dataset.sessions);
      for (const other of spans) other.setAttribute("aria-pressed", String(other === button));
      draw();
    });
  }
  for (const query of [dark, narrow, coarse, matchMedia("print")]) query.addEventListener("change", draw);
  document.getElementById("explorer").hidden = false;
  document.getElementById("unscripted").hidden = true;
  age();
  draw();
})();
