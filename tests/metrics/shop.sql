-- Figures of the shop by period, written from the words of the definitions and not from the code.
-- Filled in by the test: {period} of `day`, {keep} (which lines count), {as_of}.
CREATE MACRO p(day) AS ({period});

CREATE TABLE everything AS
SELECT lines.*, region, vip, customers.channel AS won_by
FROM order_lines AS lines LEFT JOIN customers USING (customer_id)
WHERE ordered_on <= {as_of};

CREATE TABLE l AS SELECT *, p(ordered_on) AS p FROM everything WHERE {keep};

-- an order counts once, on its first day with a purchase
CREATE TABLE o AS
SELECT *, p(day) AS p
FROM (SELECT customer_id, order_id, min(ordered_on) AS day FROM l WHERE NOT is_return GROUP BY ALL);

-- what was cross-sold compares with the first order of all, whatever is kept
CREATE TABLE first_order AS
SELECT customer_id, arg_min(order_id, (day, order_id)) AS order_id
FROM (SELECT customer_id, order_id, min(ordered_on) AS day FROM everything WHERE NOT is_return GROUP BY ALL)
WHERE customer_id IS NOT NULL
GROUP BY customer_id;

CREATE TABLE home AS
SELECT DISTINCT customer_id, category
FROM everything JOIN first_order USING (customer_id, order_id)
WHERE NOT is_return AND category IS NOT NULL;

CREATE TABLE began AS SELECT customer_id, p(min(day)) AS p FROM o WHERE customer_id IS NOT NULL GROUP BY customer_id;

CREATE TABLE people AS
SELECT p, customer_id, count(*) AS orders FROM o WHERE customer_id IS NOT NULL GROUP BY ALL;

CREATE TABLE bought AS
SELECT customer_id, category, order_id, ordered_on, p,
    sum(net_amount)::DOUBLE / sum(quantity) AS price, sum(quantity) AS units
FROM l
WHERE NOT is_return AND customer_id IS NOT NULL AND category IS NOT NULL
GROUP BY ALL;

CREATE TABLE upsold AS
SELECT p, round(greatest(0, (price - lag(price) OVER before) * units), 4) AS amount
FROM bought
WINDOW before AS (PARTITION BY customer_id, category ORDER BY ordered_on, order_id);

CREATE TABLE base AS
SELECT p AS period,
    (SELECT count(DISTINCT customer_id) FROM l WHERE l.p = every.p) AS customers,
    (SELECT count(*) FROM people WHERE people.p = every.p) AS active_customers,
    (SELECT count(*) FROM people WHERE people.p = every.p AND orders >= 2) AS repeat_customers,
    (SELECT count(*) FROM began WHERE began.p = every.p) AS new_customers,
    (SELECT count(*) FROM people JOIN people AS last USING (customer_id)
     WHERE people.p = every.p AND last.p = people.p - 1) AS again,
    (SELECT count(*) FROM people AS last WHERE last.p = every.p - 1) AS active_last,
    (SELECT count(*) FROM o WHERE o.p = every.p) AS orders,
    (SELECT count(*) FROM o WHERE o.p = every.p AND customer_id IS NOT NULL) AS known_orders,
    (SELECT coalesce(sum(net_amount), 0) FROM l WHERE l.p = every.p) AS net_revenue,
    (SELECT coalesce(sum(net_amount), 0) FROM l WHERE l.p = every.p AND customer_id IS NOT NULL) AS known_revenue,
    (SELECT coalesce(sum(net_amount), 0) FROM l WHERE l.p = every.p AND NOT is_return) AS gross_revenue,
    (SELECT coalesce(-sum(net_amount), 0) FROM l WHERE l.p = every.p AND is_return) AS returned_value,
    (SELECT coalesce(sum(quantity), 0) FROM l WHERE l.p = every.p AND NOT is_return) AS units,
    (SELECT coalesce(sum(discount), 0) FROM l WHERE l.p = every.p AND NOT is_return) AS discount,
    (SELECT coalesce(sum(net_amount - cost), 0) FROM l WHERE l.p = every.p) AS gross_margin,
    (SELECT coalesce(sum(net_amount), 0) FROM l WHERE l.p = every.p AND cost IS NOT NULL) AS costed,
    (SELECT coalesce(sum(net_amount), 0) FROM l ANTI JOIN home USING (customer_id, category)
     WHERE l.p = every.p AND customer_id IS NOT NULL AND category IS NOT NULL) AS cross_sell_revenue,
    (SELECT coalesce(sum(amount), 0) FROM upsold WHERE upsold.p = every.p) AS up_sell_revenue
FROM (SELECT DISTINCT p FROM l WHERE p IS NOT NULL) AS every;

CREATE TABLE figures AS
SELECT period, customers, active_customers, new_customers, repeat_customers, orders, net_revenue, gross_revenue,
    returned_value, gross_margin, cross_sell_revenue, up_sell_revenue,
    active_customers - new_customers AS returning_customers,
    active_customers - new_customers - again AS reactivated_customers,
    repeat_customers / nullif(active_customers, 0) AS repeat_purchase_rate,
    again / nullif(active_last, 0) AS retention_rate,
    new_customers / nullif(active_customers, 0) AS new_customer_share,
    known_orders / nullif(active_customers, 0) AS orders_per_customer,
    returned_value::DOUBLE / nullif(gross_revenue, 0) AS return_rate,
    net_revenue::DOUBLE / nullif(orders, 0) AS average_order_value,
    units / nullif(orders, 0) AS units_per_order,
    discount::DOUBLE / nullif(gross_revenue + discount, 0) AS discount_rate,
    gross_margin::DOUBLE / nullif(costed, 0) AS gross_margin_rate,
    gross_margin::DOUBLE / nullif(orders, 0) AS average_profit_per_order,
    known_revenue::DOUBLE / nullif(active_customers, 0) AS average_customer_value,
    (cross_sell_revenue::DOUBLE + up_sell_revenue) / nullif(known_revenue, 0) AS cross_and_up_sell_share
FROM base;
