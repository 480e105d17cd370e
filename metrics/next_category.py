"""The next category: how likely a customer is to buy in each category that he does not hold yet.

A customer as he was on a day, the categories that he lacked then, and whether he bought in one of them within
some days after it. Features after Kumar, George and Pancras (2008): average time between purchases and ratio
of returns (both with their square, since their effect is an inverted U), focus, category of the first
purchase, contacts; besides recency, orders, tenure, how popular the category is now, how far it goes together
with what he holds, and how far he buys like those who hold it. A logistic regression of them is fitted on one
window and judged on the next one (never on a random part of the same one, which would tell the model the
future).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from metrics.affinity import association, pair_counts
from metrics.frames import CATEGORY
from metrics.reasons import Reason

HORIZON: Final = 90
"""Days within which the category is to be bought."""
PAIRS: Final = 400_000
"""At most so many pairs without a purchase are fitted, weighted to stand for all."""
PRIOR: Final = 50
"""Average customers that are mixed into every group of holders, so that a few are no rule."""
LEAST: Final = 100
"""Fewer first purchases in categories than this, and nothing is fitted."""
OF_CUSTOMER: Final = (
    "gap",
    "gap_squared",
    "recency",
    "silence_squared",
    "orders",
    "tenure",
    "returns",
    "returns_squared",
    "focus",
    "categories",
    "contacts",
    "one_day",
)
OF_PAIR: Final = ("popular", "together", "first", "alike")
FEATURES: Final = (*OF_CUSTOMER, *OF_PAIR)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Customers as they were at the end of a day, sorted, and the categories in alphabetical order.

    `held` (customer x category); `facts` (customer x OF_CUSTOMER); `pairs`: of OF_PAIR, each customer x
    category; `partner` (customer x category): which held category goes best with it, -1 for none.
    """

    at: date
    customers: pl.Series
    categories: tuple[str, ...]
    held: Flags
    facts: Floats
    pairs: tuple[Floats, ...]
    partner: NDArray[np.int64]

    @property
    def open(self) -> Flags:
        """What each customer does not hold."""
        return ~self.held


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted logistic regression: `weights` of the standardised FEATURES, their `centre` and `scale`."""

    weights: Floats
    intercept: float
    centre: Floats
    scale: Floats
    buyers: int

    def logits(self, snapshot: Snapshot) -> Floats:
        """The log-odds of every customer and category."""
        slopes = self.weights / self.scale
        count = len(OF_CUSTOMER)
        own = (snapshot.facts - self.centre[:count]) @ slopes[:count]
        total = np.repeat((own + self.intercept)[:, None], len(snapshot.categories), axis=1)
        for at, values in enumerate(snapshot.pairs):
            total += (values - self.centre[count + at]) * slopes[count + at]
        return total

    def propensities(self, snapshot: Snapshot) -> Floats:
        """The chance of a first purchase within the horizon; not a number where the category is held."""
        return np.where(snapshot.held, np.nan, expit(self.logits(snapshot)))


def snapshot(
    rows: pl.DataFrame,
    contacts: pl.DataFrame,
    at: date,
    horizon: int = HORIZON,
    categories: tuple[str, ...] | None = None,
) -> Snapshot:
    """The customers of `metrics.crossbuying.basket_rows` who had bought by a day.

    `contacts` has `customer` and `occurred_on`; no rows where contacts are not known. `categories` keeps the
    order of another snapshot.
    """
    past = rows.filter(pl.col("ordered_on") <= at)
    bought = past.filter(pl.col("purchases") > 0)
    names = categories or tuple(bought[CATEGORY].cast(pl.String).unique().sort())
    people = bought["customer"].unique().sort()
    orders = _orders(bought, people, names)
    held = orders > 0
    lift = _log_lifts(bought, names)
    together, partner = _best_partner(held, lift)
    facts = _facts(past, bought, contacts, people, at)
    popular = _popular(bought, people, names, held, at, horizon)
    pairs = (
        np.broadcast_to(popular, held.shape).astype(np.float64),
        together,
        _by_first(bought, people, names, held),
        _alike(orders, held),
    )
    return Snapshot(at, people, names, held, facts, pairs, partner)


def _orders(bought: pl.DataFrame, people: pl.Series, names: tuple[str, ...]) -> Floats:
    """In how many orders each customer bought in each category."""
    row, column = _places(bought.select("customer", "order", CATEGORY).unique(), people, names)
    counts = np.bincount(row * len(names) + column, minlength=len(people) * len(names))
    return counts.reshape(len(people), len(names)).astype(np.float64)


def _places(
    rows: pl.DataFrame, people: pl.Series, names: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each customer and category; others are left out."""
    columns = (
        rows[CATEGORY]
        .cast(pl.String)
        .replace_strict({name: at for at, name in enumerate(names)}, default=None, return_dtype=pl.Int64)
    )
    known = rows.with_columns(column=columns).drop_nulls("column")
    known = known.filter(pl.col("customer").is_in(people.implode()))
    row = people.search_sorted(known["customer"]).to_numpy().astype(np.int64)
    return row, known["column"].to_numpy()


def _log_lifts(bought: pl.DataFrame, names: tuple[str, ...]) -> Floats:
    """Log of the lift of each pair of categories by order; 0 where chance explains it, below 0 never."""
    found = association(*pair_counts(bought.lazy(), "order", CATEGORY))
    sure = found.filter(pl.col("lift") > 1, pl.col("p_adjusted") < 0.05)
    lift = np.zeros((len(names), len(names)))
    place = {name: at for at, name in enumerate(names)}
    for x, y, value in sure.select("x", "y", "lift").iter_rows():
        if x in place and y in place:
            lift[place[x], place[y]] = lift[place[y], place[x]] = np.log(value)
    return lift


def _best_partner(held: Flags, lift: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """For each customer and category the largest log lift with what he holds, and with what."""
    best = np.zeros(held.shape)
    partner = np.full(held.shape, -1, dtype=np.int64)
    for at in range(held.shape[1]):
        better = held[:, [at]] & (lift[at] > best)
        best = np.where(better, lift[at], best)
        partner[better] = at
    return best, partner


def _popular(
    bought: pl.DataFrame, people: pl.Series, names: tuple[str, ...], held: Flags, at: date, horizon: int
) -> Floats:
    """Log-odds of a first purchase of each category in the last `horizon` days, of those who lacked it."""
    firsts = bought.group_by("customer", CATEGORY).agg(pl.col("ordered_on").min())
    lately = firsts.filter(pl.col("ordered_on") > at - timedelta(days=horizon))
    _, column = _places(lately, people, names)
    added = np.bincount(column, minlength=len(names))
    lacked = (~held).sum(axis=0) + added
    share = (added + 0.5) / (lacked + 1.0)
    return np.asarray(np.log(share / (1 - share)))


def _by_first(bought: pl.DataFrame, people: pl.Series, names: tuple[str, ...], held: Flags) -> Floats:
    """How much likelier those who began in the same category hold each one than all customers, in logs."""
    began = (
        bought.sort("customer", "ordered_on", "order", CATEGORY)
        .group_by("customer", maintain_order=True)
        .first()
    )
    row, column = _places(began, people, names)
    first = np.full(len(people), -1)
    first[row] = column
    usual = (held.sum(axis=0) + 1.0) / (len(people) + 2.0)
    table = np.zeros((len(names) + 1, len(names)))
    for at in range(len(names)):
        ours = held[first == at]
        table[at] = np.log((ours.sum(axis=0) + PRIOR * usual) / (len(ours) + PRIOR) / usual)
    return np.asarray(table[first])


def _alike(orders: Floats, held: Flags) -> Floats:
    """How far each customer buys like those who hold each category: naive Bayes evidence.

    `sum over h of n_h ln(share of h among holders of c / share of h among all) / sqrt(sum over h of n_h)`,
    with n_h the customer's orders of category h, and shares of a customer's orders on average. The root keeps
    what chance adds at the same size for many and for few orders.
    """
    n = np.maximum(orders.sum(axis=1, keepdims=True), 1.0)
    share = orders / n
    usual = share.mean(axis=0) + 1e-9
    among = held.T.astype(np.float64) @ share + PRIOR * usual
    odds = np.log(among / among.sum(axis=1, keepdims=True) * usual.sum() / usual)
    return np.asarray(orders @ odds.T / np.sqrt(n))


def _facts(
    past: pl.DataFrame, bought: pl.DataFrame, contacts: pl.DataFrame, people: pl.Series, at: date
) -> Floats:
    """The features of each customer, in the order of OF_CUSTOMER; amounts and days in logs."""
    days = bought.group_by("customer").agg(
        pl.col("ordered_on").n_unique().alias("days"),
        pl.col("ordered_on").min().alias("first_on"),
        pl.col("ordered_on").max().alias("last_on"),
        pl.col("order").n_unique().alias("orders"),
        pl.col(CATEGORY).n_unique().alias("categories"),
    )
    money = past.group_by("customer").agg(
        gross=pl.col("gross_amount").sum().cast(pl.Float64),
        back=(pl.col("net_amount") - pl.col("gross_amount")).sum().cast(pl.Float64).abs(),
    )
    largest = (
        bought.group_by("customer", CATEGORY)
        .agg(pl.col("gross_amount").sum().cast(pl.Float64))
        .group_by("customer")
        .agg(most=pl.col("gross_amount").max())
    )
    recent = (
        contacts.filter(pl.col("occurred_on") <= at, pl.col("occurred_on") > at - timedelta(days=365))
        .group_by("customer")
        .agg(contacts=pl.len())
    )
    table = pl.DataFrame({"customer": people})
    for part in (days, money, largest, recent):
        table = table.join(part, on="customer", how="left", maintain_order="left")
    return _columns(table, at)


def _columns(table: pl.DataFrame, at: date) -> Floats:
    span = (pl.col("last_on") - pl.col("first_on")).dt.total_days()
    gap = pl.when(pl.col("days") > 1).then(span / (pl.col("days") - 1)).log1p()
    returns = pl.when(pl.col("gross") > 0).then(pl.col("back") / pl.col("gross")).fill_null(0.0).clip(0, 1)
    focus = pl.when(pl.col("gross") > 0).then(pl.col("most") / pl.col("gross")).fill_null(1.0)
    found = table.select(
        gap=gap.fill_null(gap.mean()).fill_null(0.0),
        recency=(pl.lit(at) - pl.col("last_on")).dt.total_days().log1p(),
        orders=pl.col("orders").log1p(),
        tenure=(pl.lit(at) - pl.col("first_on")).dt.total_days().log1p(),
        returns=returns,
        focus=focus,
        categories=pl.col("categories").cast(pl.Float64),
        contacts=pl.col("contacts").fill_null(0).log1p(),
        one_day=(pl.col("days") == 1).cast(pl.Float64),
    ).with_columns(
        gap_squared=pl.col("gap") ** 2,
        returns_squared=pl.col("returns") ** 2,
        silence_squared=(pl.col("recency") - pl.col("gap")).clip(0) ** 2,
    )
    return found.select(OF_CUSTOMER).to_numpy().astype(np.float64)


def bought_after(snapshot: Snapshot, rows: pl.DataFrame, until: date) -> Flags:
    """Which of the open categories each customer bought first after the snapshot, up to a day."""
    later = rows.filter(
        pl.col("purchases") > 0, pl.col("ordered_on") > snapshot.at, pl.col("ordered_on") <= until
    )
    row, column = _places(
        later.select("customer", CATEGORY).unique(), snapshot.customers, snapshot.categories
    )
    new = np.zeros(snapshot.held.shape, dtype=np.bool_)
    new[row, column] = True
    return new & snapshot.open


def fit(snapshot: Snapshot, new: Flags) -> Model | Reason:
    """The model of what was bought after a snapshot; a reason where too little was."""
    buyers = int(new.sum())
    silent = np.argwhere(snapshot.open & ~new)
    if buyers < LEAST or not len(silent):
        text = (
            f"Fewer than {LEAST} customers bought in a new category. Load older orders, or widen the filters"
        )
        return Reason("few_buyers", text)
    # Loaded here, since it takes a second that no page without a model should wait for.
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    kept = silent if len(silent) <= PAIRS else silent[rng.choice(len(silent), PAIRS, replace=False)]
    chosen = np.concatenate([np.argwhere(new), kept])
    design = np.hstack(
        [
            snapshot.facts[chosen[:, 0]],
            *(each[chosen[:, 0], chosen[:, 1]][:, None] for each in snapshot.pairs),
        ]
    )
    weight = np.concatenate([np.ones(buyers), np.full(len(kept), len(silent) / len(kept))])
    centre = np.average(design, axis=0, weights=weight)
    spread = np.sqrt(np.average((design - centre) ** 2, axis=0, weights=weight))
    scale = np.where(spread > 1e-9, spread, 1.0)
    target = np.arange(len(chosen)) < buyers
    found = LogisticRegression(C=1.0, max_iter=500).fit((design - centre) / scale, target, weight)
    return Model(found.coef_[0], float(found.intercept_[0]), centre, scale, buyers)


@dataclass(frozen=True, eq=False)
class Trained:
    """A model fitted on the last window, one that is judged on that window, and customers as they are now.

    `judged` is the model that did not know the window it is judged on, `before` the snapshot at its start and
    `new` what was bought in it.
    """

    model: Model
    now: Snapshot
    judged: Model
    before: Snapshot
    new: Flags
    horizon: int


def trained(rows: pl.DataFrame, contacts: pl.DataFrame, at: date, horizon: int = HORIZON) -> Trained | Reason:
    """The model that says what comes after a day, and the one by which it can be judged.

    Judged: fitted on what happened from two horizons to one before the day, asked about the last one.
    Serving: fitted on the last one. A reason where the history is too short or too few bought in new
    categories.
    """
    starts = [at - timedelta(days=horizon * back) for back in range(3)]
    first = rows["ordered_on"].min()
    if not isinstance(first, date) or first > starts[2] - timedelta(days=horizon):
        text = f"A model needs orders of {4 * horizon} days. Load older orders, or choose a shorter horizon"
        return Reason("short_history", text)
    older = snapshot(rows, contacts, starts[2], horizon)
    before = snapshot(rows, contacts, starts[1], horizon)
    judged = fit(older, bought_after(older, rows, starts[1]))
    new = bought_after(before, rows, at)
    model = fit(before, new)
    if isinstance(judged, Reason):
        return judged
    if isinstance(model, Reason):
        return model
    return Trained(model, snapshot(rows, contacts, at, horizon), judged, before, new, horizon)


def contributions(model: Model, snapshot: Snapshot, row: int, column: int) -> dict[str, float]:
    """What each feature adds to the log-odds of one customer and category, against the average pair."""
    values = np.append(snapshot.facts[row], [each[row, column] for each in snapshot.pairs])
    return dict(zip(FEATURES, ((values - model.centre) / model.scale * model.weights).tolist(), strict=True))
