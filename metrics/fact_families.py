"""The list of families of customer facts. A new family is one line here; see `metrics.customer_facts`."""

from metrics.customer_facts import CustomerFacts, Family
from metrics.event_facts import CONTRACTS, SCORES, SERVICE
from metrics.frames import Marts
from metrics.order_facts import CATEGORIES, LAST_YEAR, ORDERS, PROFILE
from metrics.rfm import Rfm, rfm_family
from metrics.state_facts import LIFECYCLE, MOVEMENT, PREDICTED, VALUE


def families(scoring: Rfm | None) -> tuple[Family, ...]:
    """Every family, that of RFM with the scoring of the project; without RFM where there is no scoring."""
    scores = () if scoring is None else (rfm_family(scoring),)
    return (
        PROFILE,
        ORDERS,
        LAST_YEAR,
        CATEGORIES,
        *scores,
        VALUE,
        LIFECYCLE,
        SERVICE,
        SCORES,
        CONTRACTS,
        PREDICTED,
        MOVEMENT,
    )


def customer_facts(marts: Marts, scoring: Rfm | None = None) -> CustomerFacts:
    """The facts of the customers of some marts."""
    return CustomerFacts.of(marts, families(scoring))
