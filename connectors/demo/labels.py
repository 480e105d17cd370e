"""The truth about the demonstration's customers and answers: for tests, never a source."""

import numpy as np
import polars as pl

from connectors.demo.answers import response_ids
from connectors.demo.calendar import Ints
from connectors.demo.files import code
from connectors.demo.orders import TRAITS
from connectors.demo.people import People
from connectors.demo.purchases import CAUSES, Story, served
from connectors.demo.survey import DIMENSIONS, Answers
from connectors.demo.world import World, labels


def customer_labels(tale: Story, trait: Ints, people: People, world: World) -> pl.DataFrame:
    """One row a customer: hidden rates, planted groups, and who follows the segment's Pareto/NBD untouched.

    `recoverable` depends on what was given at birth alone (segment, region, panel), never on behaviour.
    `alive` tells whether the customer would still order after the end.
    """
    groups = np.where(people.december, len(TRAITS), np.where(people.outage, len(TRAITS) + 1, trait))
    untouched = ~world.seasonal(people.segment) & ~people.panel & ~served(people, world)
    alive = (people.joined + people.lives >= world.history.days) & (tale.left < 0)
    left = pl.Series(world.history.dates[np.clip(tale.left, 0, world.history.days - 1)])
    frame = pl.DataFrame({
        "customer_no": people.numbers,
        "segment": labels(world.truths.segments, people.segment),
        "group": labels((*TRAITS, "december", "outage"), groups).replace("", None),
        "rate": people.rate * 7,
        "lifetime": people.lives / 7,
        "mean_value": world.truths.of_segments("p")[people.segment] / people.worth,
        "recoverable": untouched,
        "panel": people.panel,
        "served": served(people, world),
        "alive": alive & people.ordered,
        "left_on": left.set(pl.Series(tale.left < 0), None),
        "cause": labels((*CAUSES, ""), tale.cause % 4).replace("", None),
        "offered": tale.offered >= 0,
        "enrolled": tale.enrolled >= 0,
    })  # fmt: skip
    return frame.with_columns(customer_no=code("C", "customer_no"))


def response_labels(answers: Answers, people: People) -> pl.DataFrame:
    """One row a response: gaps as ticked, orders before, the chance of an order after, whether it came."""
    frame = pl.DataFrame({
        "response": response_ids(answers.customer, answers.wave, people),
        "customer_no": people.numbers[answers.customer],
        "prior": answers.prior,
        **{f"gap_{name}": answers.gaps[:, at] for at, name in enumerate(DIMENSIONS)},
        "chance": answers.chance,
        "returned": answers.returned,
    })  # fmt: skip
    return frame.with_columns(customer_no=code("C", "customer_no"))
