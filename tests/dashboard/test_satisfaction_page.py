"""The satisfaction page: its figures against SQL, sections, suppression, empty and broken states."""

import re

import duckdb
import polars as pl
import pytest

from connectors.store import Store
from dashboard import sheet
from dashboard.views.satisfaction_segments import kept


@pytest.fixture
def opened(open_page):
    """Opens a section of the page."""

    def draw(section="Service quality", **parameters):
        return open_page("satisfaction", **{"satisfaction.section": section}, **parameters)

    return draw


@pytest.fixture(scope="module")
def answers(shop):
    return Store(shop / "store").current().scan("answers").collect().to_arrow()


def tile(page, place):
    html = next(html for html in page.container(key=f"tile-gaps-{place}").html).value
    return re.search(r'class="figure[^"]*">([^<]*)<', html)[1], html


def test_the_overall_gap_equals_sql(opened, answers):
    """Oracle: DuckDB, respondent -> dimension (half of its items answered) -> sample -> mean of the five."""
    assert answers.num_rows
    (gap,) = duckdb.sql(
        """
        WITH e AS (SELECT response_id, item, score, weight FROM answers WHERE instrument = 'servqual_1991'
                   AND part = 'expectation' AND answered_on BETWEEN '2026-01-01' AND '2026-10-31'),
             p AS (SELECT response_id, item, score FROM answers WHERE instrument = 'servqual_1991'
                   AND part = 'perception' AND answered_on BETWEEN '2026-01-01' AND '2026-10-31'),
             pairs AS (SELECT e.response_id AS r, any_value(weight) AS w, count(*) AS n,
                              regexp_extract(e.item, '[A-Z]+') AS d, avg(p.score - e.score) AS gap
                       FROM e JOIN p USING (response_id, item)
                       WHERE e.score IS NOT NULL AND p.score IS NOT NULL GROUP BY e.response_id, d),
             dims AS (SELECT d, sum(w * gap) / sum(w) AS gap FROM pairs
                      WHERE n >= CASE WHEN d IN ('REL', 'EMP') THEN 3 ELSE 2 END GROUP BY d)
        SELECT avg(gap) FROM dims
        """
    ).fetchall()[0]
    page = opened(grain="Year", period="2026 so far")
    assert tile(page, 0)[0] == f"{gap:+.2f}"


def test_the_response_rate_counts_the_silent(opened, answers):
    """Oracle: DuckDB over the invitations."""
    assert answers.num_rows
    asked, answered = duckdb.sql(
        "SELECT count(*), sum(score) FROM answers WHERE item = 'invited' "
        "AND answered_on BETWEEN '2026-01-01' AND '2026-10-31'"
    ).fetchall()[0]
    shown, html = tile(opened(grain="Year", period="2026 so far"), 3)
    assert shown.replace("\N{NARROW NO-BREAK SPACE}", "") == f"{100 * answered / asked:.1f}%"
    assert f"{answered:.0f} of {asked} asked; {asked - answered:.0f} are silent" in html


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("Service quality", "Items"),
        ("Scores", "Other scores"),
        ("Reliability", "Odd answers"),
        ("Reliability", "What goes with overall satisfaction"),
        ("Complaints", "After a problem"),
        ("Priorities", "from minimum to desired"),
        ("Feeling and orders", "Who answered"),
    ],
)
def test_every_section_is_full_on_the_demo(opened, texts, section, said):
    page = opened(section, grain="Year", period="2026 so far")
    assert not page.exception
    shown = texts(page)
    assert "Something went wrong here" not in shown
    assert any(said in text for text in shown)


def test_gaps_split_by_segment_count_the_respondents_who_belong(opened):
    page = opened(grain="Year", period="2026 so far", **{"satisfaction.by": "Segment"})
    assert not page.exception
    desk = page.session_state["desk"]
    blocks = page.session_state["snapshot.shown"].sheet.blocks()
    rows = next(block.rows for block in blocks if getattr(block, "title", "") == "Gaps by segment")
    shown = {row[0]: int(row[1]) for row in rows}
    year = desk.whole.frame("answers").filter(pl.col("answered_on").dt.year() == 2026)
    asked = year.filter(
        pl.col("instrument").cast(pl.String) == "servqual_1991", pl.col("customer").is_not_null()
    )
    who = asked.group_by("response_id").agg(pl.col("customer").first())["customer"]
    for name in ("loyal", "tier_a"):
        inside = desk.segments.book.members(name).gather(who)
        assert 0 < shown[desk.segments.book.labels[name]] <= inside.sum()
        assert shown[desk.segments.book.labels[name]] >= 0.8 * inside.sum()


def test_the_net_promoter_score_equals_sql(opened, texts, answers):
    assert answers.num_rows
    (score,) = duckdb.sql(
        "SELECT 100.0 * (sum((score >= 9)::int) - sum((score <= 6)::int)) / count(*) FROM answers "
        "WHERE item = 'nps' AND answered_on BETWEEN '2026-01-01' AND '2026-10-31'"
    ).fetchall()[0]
    assert f"{score:+.0f}" in texts(opened("Scores", grain="Year", period="2026 so far"))


@pytest.fixture
def drawn(monkeypatch):
    """The charts of the cards that a page draws, and what a click on each does."""
    found = {}

    def kept(card, chart, otherwise="", chosen=None, control=None):
        found[card.key] = (chart, chosen, card)

    for view in ("map", "priorities", "bands", "linkage"):
        monkeypatch.setattr(f"dashboard.views.satisfaction_{view}.chart_card", kept)
    return found


@pytest.mark.parametrize(
    ("key", "of", "rows", "least"),
    [
        ("importance", "EMP", "instrument = 'servqual_1991' AND part = 'perception' AND item LIKE 'EMP%'", 3),
        ("kano-kano", "K2", "instrument = 'kano' AND item IN ('K2F', 'K2D')", 2),
    ],
)
def test_a_point_of_a_map_opens_those_whom_it_counts(opened, texts, answers, drawn, key, of, rows, least):
    """Oracle: DuckDB, over the known respondents who answered enough of what the point is about."""
    assert answers.num_rows
    (n,) = duckdb.sql(
        f"""
        SELECT count(*) FROM (
            SELECT response_id FROM answers WHERE {rows} AND score IS NOT NULL
            AND answered_on BETWEEN '2026-01-01' AND '2026-10-31'
            GROUP BY response_id HAVING count(*) >= {least})
        """
    ).fetchall()[0]
    page = opened("Priorities", grain="Year", period="2026 so far")
    trace = next(trace for trace in drawn[key][0].figure["data"] if "ids" in trace)
    assert len(trace["ids"]) == len(trace["x"])
    place = next(place for place, each in enumerate(trace["ids"]) if each.split("|")[-1] == of)
    page.session_state["satisfaction.open"] = trace["ids"][place]
    assert f"{n} respondents, the latest first." in texts(page.run())


def test_a_band_opens_its_respondents(opened, texts, drawn):
    page = opened("Feeling and orders", grain="Year", period="2026 so far")
    chart, chosen, card = drawn["linkage-curves"]
    assert chosen is not None
    lines = [trace for trace in chart.figure["data"] if "ids" in trace]
    assert [trace["ids"][0] for trace in lines] == [f"band|{at}|0" for at in range(len(lines))]
    assert all(len(set(trace["ids"])) == len(trace["x"]) for trace in lines)
    page.session_state["satisfaction.open"] = lines[0]["ids"][0]
    first = card.frame().filter(pl.col("by") == 0)
    assert f"{first['at_risk'].max()} respondents, the latest first." in texts(page.run())


def test_quarters_meet_at_a_point_of_the_reader(opened, drawn):
    page = opened("Priorities", grain="Year", period="2026 so far")
    page = page.selectbox(key="satisfaction.centre").set_value("point").run()
    page = page.number_input(key="satisfaction.cross.performance").set_value(6.5).run()
    page.number_input(key="satisfaction.cross.share").set_value(5.0).run()
    across, up = drawn["importance"][0].figure["layout"]["shapes"][:2]
    assert (across["x0"], up["y0"]) == (6.5, 0.05)


def test_too_few_respondents_are_not_shown(opened, texts):
    said = texts(opened(region="East", channel="referral", period="Aug 2026"))
    assert "Too few to show" in said
    assert any("are needed" in text for text in said)


def test_a_small_group_is_withheld_with_the_next_smallest():
    """12 respondents in the west: theirs and the figures of the 40 in the north are kept back."""
    groups = {"east": 200, "north": 40, "south": 90, "west": 12}
    table = pl.DataFrame(
        [
            {"by": by, "dimension": of, "n_second": n, "gap_second": -0.5, "difference": 0.1}
            for by, n in groups.items()
            for of in ("overall", "T")
        ]
    )
    shown = kept(table, 30)
    hidden = shown.filter("hidden")
    assert hidden["by"].unique().sort().to_list() == ["north", "west"]
    assert hidden.select("gap_second", "difference").null_count().row(0) == (4, 4)
    assert shown.filter(~pl.col("hidden"))["gap_second"].null_count() == 0


def test_comments_are_shown_and_leave_only_when_asked(opened, texts):
    page = opened("Comments")
    assert any("comments, the latest first" in text for text in texts(page))
    assert not page.get("download_button")
    page = page.toggle(key="satisfaction.words").set_value(True).run()
    assert len(page.get("download_button")) == 2


def test_comments_are_in_no_report(opened, monkeypatch):
    """What a report would hold is what the page records: none of the words on the page is in it."""
    kept = []
    monkeypatch.setattr(sheet, "record", lambda make: kept.append(make()))
    page = opened("Comments")
    said = re.findall(r"<li><p>([^<]+)</p>", "".join(html.value for html in page.html))
    assert said
    assert not [text for text in said if text in str(kept)]


def test_hidden_comments_stay_hidden(opened, texts, shop, tmp_path):
    for name in ("sources.yaml", "data", "store"):
        (tmp_path / name).symlink_to(shop / name)
    settings = (shop / "rapport.yaml").read_text() + "\naccess: {verbatims: false}\n"
    (tmp_path / "rapport.yaml").write_text(settings)
    said = texts(opened("Comments", project=tmp_path))
    assert "Comments are hidden" in said


def test_a_broken_instrument_is_named_on_the_page(opened, texts, shop, tmp_path, rapport):
    (tmp_path / "instruments").mkdir()
    for name in ("rapport.yaml", "sources.yaml", "data", "store"):
        (tmp_path / name).symlink_to(shop / name)
    (tmp_path / "instruments" / "a.yaml").write_text("instruments: [{name: servqual_1991, label: A}]\n")
    said = texts(opened(project=tmp_path))
    assert any("problem in the instruments" in text for text in said)
    assert "No service quality survey" in said
    assert any("servqual_1991" in text for text in said)


def test_a_project_without_surveys_says_what_is_missing(opened, texts, tmp_path, rapport):
    (tmp_path / "orders.csv").write_text(
        "order_no,customer_no,order_date,amount\n1,7,2026-01-05,9.00\n2,8,2026-01-09,7.90\n"
    )
    folder = tmp_path / "shop"
    assert rapport("init", folder, "--from", tmp_path / "orders.csv", "--currency", "EUR").code == 0
    assert rapport("refresh", "--project", folder).code == 0
    for section in ("Service quality", "Scores", "Reliability"):
        said = texts(opened(section, project=folder))
        assert "Something went wrong here" not in said
        assert {"No source gives", "survey_answers"} <= set(said)
