# /// script
# requires-python = ">=3.11"
# dependencies = ["marimo", "market-pipeline"]
# ///
"""One symbol with its forecasts: `marimo run docs/notebooks/06-one-symbol.py`, or `marimo edit` to change it."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="One symbol")


@app.cell
def libraries():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    from market_pipeline import mart

    return mart, mo, np, plt


@app.cell
def newest_of_the_mart(mart, mo):
    meta = mart.sql("select market, source, newest_session from meta order by market")
    label = ", ".join(sorted(set(meta["source"])))
    simulated = " No number here is of a real company." if label == "simulated" else ""
    mo.md(f"# One symbol\n\nNewest forecasts of a symbol beside the model you choose. Prices: **{label}**.{simulated}")
    return (label,)


@app.cell
def choices(mart, mo):
    _newest = mart.forecasts(newest=True)
    _symbols, _models = (sorted(_newest[column].unique()) for column in ("symbol", "model"))
    symbol = mo.ui.dropdown(_symbols, value=_symbols[0], label="symbol", searchable=True)
    model = mo.ui.dropdown(_models, value="random_walk", label="model")
    days = mo.ui.slider(30, 500, value=120, step=10, label="sessions of prices")
    mo.hstack([symbol, model, days], justify="start")
    return days, model, symbol


@app.cell
def selected(mart, model, symbol):
    forecasts = mart.forecasts(symbol.value, model=model.value, newest=True, in_prices=True).sort_values("horizon")
    past = mart.prices(symbol.value)
    return forecasts, past


@app.cell
def ranges(days, forecasts, label, mo, model, np, past, plt, symbol):
    def drawn():
        shown = past.tail(days.value)
        figure, axes = plt.subplots(figsize=(8, 3.5), dpi=80)
        axes.plot(np.arange(1 - len(shown), 1), shown["adj_close"], color="black", linewidth=1)
        ahead = np.concatenate([[0], forecasts["horizon"]])
        start = forecasts["origin_price"].iloc[:1]
        for low, high, percent, colour in (("q025", "q975", 95, "#d8e6f3"), ("q10", "q90", 80, "#a6c8e4")):
            edges = [np.concatenate([start, forecasts[name]]) for name in (low, high)]
            axes.fill_between(ahead, *edges, color=colour, label=f"{percent} % range")
        axes.set_xlabel("sessions from the newest close")
        axes.set_title(f"{symbol.value} ({label} prices), {model.value}", fontsize=10)
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        return figure

    missing = mo.md(
        f"**{model.value}** has no newest forecast of **{symbol.value}**: too short a past, or no model of it."
    )
    drawn() if len(forecasts) else missing
    return


@app.cell
def verdicts(mart, mo, model, symbol):
    market = mart.prices(symbol.value)["market"].iloc[0]
    board = mart.leaderboard().query("market == @market and model == @model.value")
    of_model = board[["question", "horizon", "n_origins", "skill", "p_adjusted", "verdict"]].round(4)
    _text = mo.md(f"""
## Is {model.value} better than the random walk in {market}?

`skill` is 1 minus the ratio of losses; `verdict` allows for luck and for the number of comparisons. The random walk is
not compared with itself.
""")
    mo.vstack([_text, mo.ui.table(of_model, selection=None, pagination=False)])
    return (of_model,)


if __name__ == "__main__":
    app.run()
