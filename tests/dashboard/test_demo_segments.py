"""Every shipped segment of the demonstration, counted again by SQL over the canonical tables in DuckDB."""

import duckdb
import polars as pl
import pytest

from connectors.store import Store
from dashboard.figures import Book
from dashboard.segment_files import facts_of, segments, shipped_segments
from dashboard.workspace import open_workspace
from metrics.lifetime.outlook import Outlook
from metrics.lifetime.values import Terms
from metrics.patterns import busiest, movements
from metrics.segment_definitions import Segment
from metrics.segments import draft_rule

VIEWS = """
CREATE VIEW bought AS
    SELECT customer_id, order_id, min(ordered_on) AS day FROM order_lines
    WHERE customer_id IS NOT NULL AND NOT is_return AND ordered_on <= DATE '{as_of}' GROUP BY ALL;
CREATE VIEW people AS SELECT DISTINCT customer_id FROM (
    SELECT customer_id FROM customers UNION ALL SELECT customer_id FROM order_lines
    UNION ALL SELECT customer_id FROM survey_answers UNION ALL SELECT customer_id FROM interactions
    UNION ALL SELECT customer_id FROM subscriptions) WHERE customer_id IS NOT NULL;
CREATE VIEW facts AS
    SELECT customer_id, count(order_id) AS orders, DATE '{as_of}' - max(day) AS silent, min(day) AS first_on
    FROM people LEFT JOIN bought USING (customer_id) GROUP BY 1;
CREATE VIEW money AS
    SELECT customer_id, sum(net_amount) AS net, sum(net_amount) FILTER (WHERE NOT is_return) AS gross,
        -sum(net_amount) FILTER (WHERE is_return) AS back, sum(net_amount - cost) AS margin,
        count(DISTINCT category) FILTER (WHERE NOT is_return) AS categories
    FROM order_lines WHERE customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}' GROUP BY 1;
CREATE VIEW worth AS
    SELECT customer_id, coalesce(margin, 0) - coalesce(served, 0) AS contribution
    FROM facts JOIN money USING (customer_id)
    LEFT JOIN (SELECT customer_id, sum(cost) AS served FROM interactions GROUP BY 1) USING (customer_id)
    WHERE orders > 0;
CREATE VIEW ranked AS
    SELECT *, coalesce(sum(greatest(contribution, 0)) OVER (ORDER BY contribution DESC
            RANGE BETWEEN UNBOUNDED PRECEDING AND 0.00001 PRECEDING EXCLUDE GROUP), 0)
        / (SELECT sum(greatest(contribution, 0)) FROM worth) AS ahead,
        cume_dist() OVER (ORDER BY contribution) AS percentile FROM worth;
CREATE VIEW scores AS
    SELECT customer_id, 1 + (5 * (rank() OVER (ORDER BY silent DESC) - 1)) // count(*) OVER () AS r,
        1 + (5 * (rank() OVER (ORDER BY orders) - 1)) // count(*) OVER () AS f,
        CASE WHEN net > 0 THEN 1 + (5 * (rank() OVER (ORDER BY net) - 1)) // count(*) OVER () ELSE 1 END AS m
    FROM facts JOIN money USING (customer_id) WHERE orders > 0;
CREATE VIEW grid AS SELECT customer_id, r, (f + m + 1) // 2 AS v FROM scores;
CREATE VIEW nps AS
    SELECT customer_id, arg_max(score, (answered_at, response_id)) AS score FROM survey_answers
    WHERE item = 'nps' AND score IS NOT NULL AND customer_id IS NOT NULL GROUP BY 1;
"""
RHYTHM = """
CREATE VIEW days AS SELECT DISTINCT customer_id, day FROM bought;
CREATE VIEW gaps AS
    SELECT customer_id, day, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap FROM days;
CREATE VIEW counted AS
    SELECT customer_id, count(gap) AS m, max(gap) AS longest, DATE '{as_of}' - max(day) AS silent
    FROM gaps GROUP BY 1;
-- Kaplan-Meier over a customer's gaps, the open one censored.
CREATE VIEW falls AS
    SELECT customer_id, gap, count(*) AS ended,
        sum(count(*)) OVER (PARTITION BY customer_id ORDER BY gap DESC)
        + (any_value(silent) >= gap)::INT AS risk
    FROM gaps JOIN counted USING (customer_id) WHERE gap IS NOT NULL GROUP BY 1, 2;
CREATE VIEW curve AS
    SELECT customer_id, gap,
        product(1 - ended / risk) OVER (PARTITION BY customer_id ORDER BY gap) AS there FROM falls;
CREATE VIEW own AS
    SELECT customer_id, min(gap) FILTER (WHERE there <= 0.1 + 1e-9) AS own FROM curve GROUP BY 1;
CREATE VIEW served AS
    SELECT customer_id, coalesce(any_value(channel), 'none') AS channel FROM customers GROUP BY 1;
CREATE VIEW usual AS
    SELECT channel, list_sort(list(gap))[ceil(0.9::DOUBLE * (count(*) - 1))::INT + 1] AS usual
    FROM gaps JOIN served USING (customer_id) WHERE gap IS NOT NULL GROUP BY 1;
CREATE VIEW allowed AS
    SELECT customer_id, silent, m, CASE WHEN m < 3 THEN usual ELSE
        round(coalesce(own, longest) ** (m / (m + 5)) * usual ** (5 / (m + 5)), 9) END AS lapse
    FROM counted JOIN served USING (customer_id) LEFT JOIN usual USING (channel)
    LEFT JOIN own USING (customer_id);
CREATE VIEW months AS
    SELECT customer_id, month(day) AS month, count(*) AS n FROM bought GROUP BY ALL;
CREATE VIEW around AS
    SELECT a.customer_id, a.month, a.n, sum(b.n) AS held FROM months a JOIN months b USING (customer_id)
    WHERE (a.month - b.month + 12) % 12 IN (0, 1, 11) GROUP BY ALL;
CREATE VIEW best AS
    SELECT customer_id, arg_min(month, (-held, -n, month)) AS season, max(held) AS held
    FROM around GROUP BY 1;
CREATE VIEW seasons AS
    SELECT customer_id, season,
        max(year(day) - (season = 12 AND month(day) = 1)::INT
            + (season = 1 AND month(day) = 12)::INT) AS latest
    FROM best JOIN bought USING (customer_id) GROUP BY ALL
    HAVING any_value(held) >= 0.8 * count(*) AND count(*) >= 2 AND count(DISTINCT
        year(day) - (season = 12 AND month(day) = 1)::INT + (season = 1 AND month(day) = 12)::INT) >= 2;
CREATE VIEW judged AS
    SELECT customer_id, silent, lapse, season, CASE WHEN season IS NULL
        THEN DATE '{as_of}' + (floor(lapse)::INT + 1 - silent)::INT
        ELSE (make_date(latest + 1, season, 1) + INTERVAL 2 MONTH)::DATE END AS lost_on,
        (SELECT max(gap) FROM gaps g WHERE g.customer_id = allowed.customer_id
            AND day > DATE '{as_of}' - 90) AS ended
    FROM allowed LEFT JOIN seasons USING (customer_id);
CREATE VIEW states AS
    SELECT customer_id, CASE WHEN first_on > DATE '{as_of}' - 30 THEN 'new'
        WHEN lost_on <= DATE '{as_of}' THEN 'lost'
        WHEN ended > lapse AND season IS NULL THEN 'returning'
        WHEN lost_on <= DATE '{as_of}' + 30 AND judged.silent > lapse / 2 THEN 'due'
        ELSE 'active' END AS state
    FROM facts JOIN judged USING (customer_id);
"""
ORDERS_IN = (
    "(SELECT count(DISTINCT order_id) FROM bought b WHERE b.customer_id = facts.customer_id "
    "AND day > DATE '{as_of}' - {days})"
)
COUNTS = {
    "loyal": "facts WHERE orders >= 3 AND silent <= 180",
    "one_order": "facts WHERE orders = 1",
    "one_category": "facts JOIN money USING (customer_id) "
    "WHERE orders >= 4 AND categories = 1 AND silent <= 180",
    "big_spenders": "ranked WHERE percentile > 0.9",
    "frequent_returners": "facts JOIN money USING (customer_id) WHERE orders >= 2 AND back / gross > 0.33",
    "gone_quiet": f"facts WHERE {ORDERS_IN.replace('{days}', '548')} >= 3 "
    f"AND {ORDERS_IN.replace('{days}', '182')} = 0",
    "complained_unhappy": "(SELECT customer_id FROM interactions WHERE kind = 'complaint' GROUP BY 1 HAVING "
    "count(*) FILTER (WHERE occurred_at::TIMESTAMPTZ > TIMESTAMPTZ '{as_of} 23:59:59 America/New_York' "
    "- INTERVAL 365 DAY) > 0 AND count(*) FILTER (WHERE outcome = 'unsatisfied') > 0)",
    "promoters": "nps WHERE score >= 9",
    "detractors": "nps WHERE score <= 6",
    "subscribers": "(SELECT DISTINCT customer_id FROM subscriptions WHERE started_on <= DATE '{as_of}' "
    "AND (ended_on IS NULL OR ended_on > DATE '{as_of}'))",
    "tier_a": "ranked WHERE contribution > 0 AND ahead < 0.8",
    "tier_b": "ranked WHERE contribution > 0 AND ahead >= 0.8 AND ahead < 0.95",
    "tier_c": "ranked WHERE contribution <= 0 OR ahead >= 0.95",
    "rfm_champions": "grid WHERE (r = 5 AND v >= 4) OR (r = 4 AND v = 5)",
    "rfm_loyal": "grid WHERE (r = 4 AND v = 4) OR (r = 3 AND v >= 4)",
    "rfm_potential_loyalists": "grid WHERE r >= 4 AND v IN (2, 3)",
    "rfm_new": "grid WHERE r = 5 AND v = 1",
    "rfm_promising": "grid WHERE r = 4 AND v = 1",
    "rfm_need_attention": "grid WHERE r = 3 AND v = 3",
    "rfm_about_to_sleep": "grid WHERE r = 3 AND v <= 2",
    "rfm_at_risk": "grid WHERE (r = 2 AND v IN (3, 4)) OR (r = 1 AND v = 3)",
    "rfm_cannot_lose": "grid WHERE (r = 2 AND v = 5) OR (r = 1 AND v >= 4)",
    "rfm_hibernating": "grid WHERE r = 2 AND v <= 2",
    "rfm_lost": "grid WHERE r = 1 AND v <= 2",
    "prospects": "facts WHERE orders = 0",
    "new_customers": "facts WHERE first_on > DATE '{as_of}' - 30",
    "active_customers": "states WHERE state = 'active'",
    "returning_customers": "states WHERE state = 'returning'",
    "due_customers": "states WHERE state = 'due'",
    "lost_customers": "states WHERE state = 'lost'",
    "slipping_best": "ranked JOIN states USING (customer_id) "
    "WHERE contribution > 0 AND ahead < 0.8 AND state IN ('due', 'lost')",
}


@pytest.fixture(scope="module")
def opened(shop):
    version = Store(open_workspace(shop).store).current()
    book = Book(open_workspace(shop), version, version.manifest.as_of)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    for name in version.manifest.tables:
        connection.register(name, version.scan(name).collect().to_arrow())
    connection.execute((VIEWS + RHYTHM).replace("{as_of}", str(book.as_of)))
    return segments(shop, facts_of(book.marts, book.definitions.catalog)).book, connection, book.as_of


def test_every_shipped_segment_is_counted_here():
    shipped = {segment.name for segment in shipped_segments().values}
    assert shipped == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_the_count_equals_sql(opened, name):
    book, connection, as_of = opened
    query = COUNTS[name].replace("{as_of}", str(as_of))
    rows = connection.execute(f"SELECT customer_id FROM {query}").fetchall()
    people = book.facts.marts.frame("customer_summary")
    assert set(people.filter(book.members(name))["customer_id"]) == {row[0] for row in rows}


def test_the_states_divide_all_customers(opened):
    book, _connection, _as_of = opened
    states = ("prospects", "new_customers", "active_customers", "returning_customers", "due_customers")
    flags = pl.DataFrame([book.members(name).alias(name) for name in (*states, "lost_customers")])
    assert flags.select(pl.sum_horizontal(pl.all())).to_series().eq(1).all()


def held(book, where):
    """The ids of the customers for whom a rule holds."""
    rule = draft_rule(book, Segment(name="draft", label="Draft", where=where))
    return set(book.facts.marts.frame("customer_summary").filter(book.holds(rule))["customer_id"])


def test_the_main_category_is_where_sql_says_most_was_paid(opened):
    book, connection, as_of = opened
    query = f"""SELECT customer_id, arg_min(category, (-paid, category)) AS main FROM (
        SELECT customer_id, category, sum(net_amount) AS paid FROM order_lines
        WHERE NOT is_return AND customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}' GROUP BY ALL)
        GROUP BY 1"""
    mains = dict(connection.execute(query).fetchall())
    for category in sorted(set(mains.values()))[:3]:
        expected = {customer for customer, main in mains.items() if main == category}
        assert held(book, f"top_category = '{category}'") == expected


def test_rules_read_predictions_and_movements(opened):
    """Oracle: the models and patterns themselves, by customer."""
    book, _connection, as_of = opened
    marts = book.facts.marts
    people = marts.frame("customer_summary")
    ids = dict(people.select("customer", "customer_id").iter_rows())
    found = Outlook.of(people, as_of)
    values = found.values(Terms(as_of, 12, 0.10, found.margin))
    gone = {ids[n] for n, alive in values.select("customer", "p_alive").iter_rows() if alive < 0.5}
    assert 0 < len(gone) < len(values)
    assert held(book, "p_alive < 0.5") == gone
    worth = {ids[n] for n, value in values.select("customer", "value").iter_rows() if value and value > 100}
    assert held(book, "lifetime_value > 100") == worth
    patterns = movements(marts, busiest(marts, by="channel"), by="channel")
    for (pattern,), rows in patterns.partition_by("pattern", as_dict=True).items():
        assert held(book, f"movement = '{pattern}'") == {ids[n] for n in rows["customer"]}
