"""The scenes of the film in their order: what each shows, in English for its caption and in French for its subtitle.

Knows neither how a scene is recorded nor how the film is encoded.
"""

# ruff: noqa: INP001  imported by a script

from dataclasses import dataclass
from enum import StrEnum


class Prices(StrEnum):
    """The label in the corner of each image: which prices it shows."""

    NONE = "no prices"
    SIMULATED = "simulated prices"
    REAL = "real prices"


@dataclass(frozen=True)
class Scene:
    """What the viewer reads; `{names}` are filled with what was measured while recording."""

    prices: Prices
    english: str
    french: str

    def filled(self, **measured: str) -> "Scene":
        with_commas = {name: value.replace(".", ",") for name, value in measured.items()}
        return Scene(self.prices, self.english.format(**measured), self.french.format(**with_commas))


NONE, SIMULATED, REAL = Prices

SCENES = {
    "opening": Scene(
        NONE,
        "A batch pipeline, recorded from real screens",
        "Une chaîne par lots, filmée sur de vrais écrans",
    ),
    "problem": Scene(
        NONE,
        "The problem: which forecast can be believed?",
        "Le problème : quelle prévision peut-on croire ?",
    ),
    "batch": Scene(
        NONE,
        "Why batch: a bar is final after its close, and vendors correct it later",
        "Pourquoi par lots : une bougie est définitive après la clôture, et corrigée plus tard",
    ),
    "architecture": Scene(
        NONE,
        "Architecture: one chain of tables for each market, from bars to the mart",
        "Architecture : une chaîne de tables par marché, des bougies au mart",
    ),
    "leakage": Scene(
        NONE,
        "A forecast knows nothing after its origin; every run checks it",
        "Une prévision ne sait rien d’après son origine ; chaque exécution le vérifie",
    ),
    "install": Scene(NONE, "Install: two commands", "Installation : deux commandes"),
    "demo": Scene(
        SIMULATED,
        "The demo: the whole chain of two markets, {minutes} minutes, shortened here",
        "La démonstration : toute la chaîne de deux marchés, {minutes} minutes, abrégées ici",
    ),
    "screen": Scene(
        SIMULATED,
        "It ends on one screen: forecasts, the questions with an answer, a portfolio",
        "Elle finit sur un écran : prévisions, questions qui ont une réponse, portefeuille",
    ),
    "graph": Scene(
        SIMULATED,
        "The Dagster UI: a chain of assets for each market, joined by the mart",
        "L’interface de Dagster : une chaîne d’actifs par marché, réunies par le mart",
    ),
    "market": Scene(
        SIMULATED,
        "The chain of one market, from prices to signals",
        "La chaîne d’un marché, des cours aux signaux",
    ),
    "asset": Scene(
        SIMULATED,
        "An asset: its description, its last run, its checks",
        "Un actif : sa description, sa dernière exécution, ses contrôles",
    ),
    "backfill": Scene(
        SIMULATED,
        "A backfill of a month: all its sessions in a single run",
        "Le backfill d’un mois : toutes ses séances en une seule exécution",
    ),
    "run": Scene(
        SIMULATED,
        "The run: one step for the whole range, then its checks",
        "L’exécution : une étape pour toute la plage, puis ses contrôles",
    ),
    "checks": Scene(
        SIMULATED,
        "Checks are statements; a failed check lists the rows",
        "Les contrôles sont des affirmations ; un contrôle en échec liste les lignes",
    ),
    "before": Scene(
        SIMULATED,
        "A fault: a run that computes forecasts is under way",
        "Une panne : une exécution calcule des prévisions",
    ),
    "kill": Scene(
        SIMULATED,
        "Its process is killed: it can neither tidy up nor report anything",
        "Son processus est tué : il ne peut ni ranger ni signaler quoi que ce soit",
    ),
    "killed": Scene(
        SIMULATED,
        "After {failed} s the server has found the process gone, and failed the run",
        "Après {failed} s, le serveur a constaté sa disparition et mis l’exécution en échec",
    ),
    "healed": Scene(
        SIMULATED,
        "The retry that it started succeeded {healed} s after the kill; nothing was done by hand",
        "La reprise qu’il a lancée a réussi {healed} s après ; rien n’a été fait à la main",
    ),
    "report": Scene(
        SIMULATED,
        "The report: one HTML file, first a summary in five lines",
        "Le rapport : un fichier HTML, d’abord un résumé en cinq lignes",
    ),
    "table": Scene(
        SIMULATED,
        "The report: one table of all forecasts, to search, sort and filter",
        "Le rapport : une table de toutes les prévisions, à chercher, trier, filtrer",
    ),
    "past": Scene(
        SIMULATED,
        "The report: each symbol has its past ranges beside what happened",
        "Le rapport : chaque symbole montre ses intervalles passés et ce qui est arrivé",
    ),
    "verdicts": Scene(
        SIMULATED,
        "The report: each model and question against the random walk",
        "Le rapport : chaque modèle et chaque question face à la marche aléatoire",
    ),
    "held": Scene(
        SIMULATED,
        "The report: how often the ranges held",
        "Le rapport : combien de fois les intervalles ont tenu",
    ),
    "quality": Scene(
        SIMULATED,
        "The report: which bars are missing, refused or changed",
        "Le rapport : quelles bougies manquent, sont refusées ou ont changé",
    ),
    "symbol": Scene(
        SIMULATED,
        "One symbol, in prices, with the verdict of its model",
        "Un symbole, en cours, avec le verdict de son modèle",
    ),
    "replay": Scene(
        SIMULATED,
        "Any stored forecast can be computed again, equal to the last bit",
        "Toute prévision enregistrée peut être recalculée, au bit près",
    ),
    "risk": Scene(
        SIMULATED,
        "Risk of a portfolio: value at risk, shortfall, and what each symbol adds",
        "Risque d’un portefeuille : value at risk, perte moyenne au-delà, part de chaque symbole",
    ),
    "portfolio": Scene(
        SIMULATED,
        "The same in the report, with the verdict on it",
        "Le même dans le rapport, avec son verdict",
    ),
    "query": Scene(
        SIMULATED,
        "The mart: a DuckDB file, open to any program",
        "Le mart : un fichier DuckDB, ouvert à tout programme",
    ),
    "results": Scene(
        REAL,
        "Five years of real prices: how often a model beats the random walk",
        "Cinq ans de cours réels : combien de fois un modèle bat la marche aléatoire",
    ),
    "skill": Scene(
        REAL,
        "Only the width of the range can be forecast, and only slightly",
        "Seule la largeur de l’intervalle est prévisible, et de peu",
    ),
    "calibration": Scene(
        REAL,
        "The ranges cover what they claim",
        "Les intervalles couvrent ce qu’ils annoncent",
    ),
    "costs": Scene(
        REAL,
        "Net of costs, following the signals earns nothing that luck does not explain",
        "Net de frais, suivre les signaux ne gagne rien que la chance n’explique",
    ),
    "cluster": Scene(
        NONE,
        "Several machines: the same code, by three settings",
        "Plusieurs machines : le même code, par trois réglages",
    ),
    "lake": Scene(
        SIMULATED,
        "Faults of several hosts (network namespaces of one machine), as far as tried",
        "Pannes de plusieurs hôtes (espaces réseau d’une machine), là où on les a essayées",
    ),
    "faults": Scene(
        SIMULATED,
        "Faults of one machine: what was tried, how much of it, and what was found",
        "Pannes d’une machine : ce qui a été essayé, en quelle part, et ce qui a été trouvé",
    ),
    "closing": Scene(
        NONE,
        "Apache-2.0. Nothing here is financial advice.",
        "Apache-2.0. Rien ici n’est un conseil financier.",
    ),
}
"""By name, in the order of the film."""
