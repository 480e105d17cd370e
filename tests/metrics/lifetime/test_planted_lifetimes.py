"""The demonstration's purchase and dropout parameters, found again from orders alone."""

import numpy as np
import polars as pl

from connectors.demo.calendar import History
from connectors.demo.people import people
from connectors.demo.project import END
from connectors.demo.purchases import story
from connectors.demo.truths import catalogue, comments, names, truths
from connectors.demo.world import World
from metrics.lifetime.history import compress, history
from metrics.lifetime.paretonbd import ParetoNBD


def orders(size: int, seed: int) -> pl.DataFrame:
    """Orders of a block with the customers' segment."""
    world = World(History.of_months(36, END), truths(), catalogue(), names(), comments(), size, seed)
    crowd = people(world, size)
    bought = story(crowd, world).purchases
    last = world.history.days - 1
    return pl.DataFrame(
        {
            "customer": bought.customer,
            "ordered_on": np.datetime64(END) - (last - bought.day).astype("timedelta64[D]"),
            "net_amount": 1.0,
            "segment": np.array(list(world.truths.segments))[crowd.segment[bought.customer]],
        }
    )


def test_planted_parameters_are_covered():
    """Of segments without seasons, failures and programmes, so that Pareto/NBD is all there is to them."""
    covered = []
    for seed in range(20):
        bought = orders(4000, 1000 + seed)
        for segment in ("store", "referral"):
            plan = truths().segments[segment]
            fit = ParetoNBD.fit(compress(history(bought.filter(pl.col("segment") == segment), END)))
            truth = np.log([plan.r, plan.alpha, plan.s, plan.beta])
            covered.append(np.abs(truth - fit.point) < 1.96 * np.sqrt(np.diag(fit.covariance)))
    assert np.mean(covered) >= 0.85
