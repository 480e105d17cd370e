"""The category tree in words: in captions, figures, and where two periods or snapshots do not compare."""

import pytest

from connectors.store import Store
from dashboard.category_trees import difference

HEAD = "order_no,customer_no,order_date,sku,group,amount\n"
ROWS = (
    "1,ann,2026-01-05,pen,Office,9\n2,bob,2026-01-07,ink,Office,8\n3,ann,2026-02-03,pen,{group},9\n"
    "4,bob,2026-02-09,mug,Home,7\n5,ann,2026-03-02,ink,Office,9\n6,bob,2026-04-30,ink,Office,9\n"
)
MAPPED = """
sources:
  - name: orders
    kind: csv
    location: orders.csv
    table: order_lines
    columns: {order_id: order_no, customer_id: customer_no, ordered_at: order_date, product_id: sku,
              category: group, net_amount: amount}
"""


@pytest.fixture
def store(tmp_path, rapport):
    """Loads a small shop, the pen sold under a category of its own in February: `store("Gifts")`."""
    folder = tmp_path / "stationer"
    folder.mkdir()
    (folder / "rapport.yaml").write_text("name: Stationer\ncurrency: EUR\n")
    (folder / "sources.yaml").write_text(MAPPED)

    def loaded(group):
        (folder / "orders.csv").write_text(HEAD + ROWS.format(group=group))
        done = rapport("refresh", "--project", folder)
        assert done.code == 0, done.err
        return Store(folder / "store").current()

    return loaded


def asked(rapport, version, *arguments):
    return rapport("query", *arguments, "--project", version.root.parent)


def test_figures_that_rest_on_categories_carry_their_tree(store, rapport):
    version = store("Office")
    rows = asked(
        rapport, version, "categories_per_customer", "net_revenue", "cross_sell_share", "--json"
    ).json
    trees = {row["metric"]: row.get("category_tree") for row in rows}
    assert trees["net_revenue"] is None
    assert trees["categories_per_customer"] == trees["cross_sell_share"]
    assert len(trees["cross_sell_share"]) == 8
    said = asked(rapport, version, "categories_per_customer").out
    assert f"category tree {trees['cross_sell_share']}: 3 products in 2 categories, the same over all" in said
    split = asked(rapport, version, "net_revenue", "--by", "category", "--json").json
    assert {row["category_tree"] for row in split} == {trees["cross_sell_share"]}


def test_periods_under_different_trees_are_told_apart(store, rapport, open_page, texts):
    version = store("Gifts")
    assert "1 product has moved" in asked(rapport, version, "categories_per_customer").out
    page = open_page("cross-buying", project=version.root.parent, period="Feb 2026")
    said = " ".join(texts(page))
    assert "1 product has stood in more than one category" in said
    assert "1 product moved after Jan 2026: the two periods compared stand on different trees" in said
    page = open_page("cross-buying", project=version.root.parent, period="Mar 2026")
    said = " ".join(texts(page))
    assert "1 product has stood in more than one category" in said
    assert "different trees" not in said


def test_one_tree_is_named_in_the_caption_without_a_warning(store, open_page, texts):
    version = store("Office")
    said = " ".join(texts(open_page("cross-buying", project=version.root.parent)))
    assert "category tree" in said
    assert "more than one category" not in said


def test_versions_under_different_trees_are_told_apart(store):
    first, second, third = (store(group) for group in ("Office", "Gifts", "Office"))
    held = Store(first.root)
    assert "1 product moved" in difference(held, first.id, second.id)
    assert difference(held, first.id, third.id) == ""
    assert difference(held, "20200101T000000Z", second.id) == ""
