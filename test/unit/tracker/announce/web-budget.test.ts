import test from "ava";
import { WebBudget } from "../../../../tracker/announce/web-budget.ts";

test("WebBudget lets a burst of 600 through, then 50 a second", (t) => {
  const budget = new WebBudget(0);
  let passed = 0;
  while (budget.send(6, 0)) passed += 6;
  t.is(passed, 600);
  t.false(budget.send(6, 100));
  t.true(budget.send(6, 120));
  t.true(budget.send(600, 100_000));
});

test("WebBudget lets 100 offers come at once, then 20 a second, whatever its owner sends", (t) => {
  const budget = new WebBudget(0);
  let offers = 0;
  while (budget.offer(0)) offers++;
  t.is(offers, 100);
  t.true(budget.send(600, 0));
  t.false(budget.offer(49));
  t.true(budget.offer(51));
});
