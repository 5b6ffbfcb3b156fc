// @ts-check
// Which product is looked at next. Popularity follows Zipf's law: the second is wanted half as much as the first, the third a third.

// The last ten of the demo data are short of stock.
const PRODUCTS = 190;

/** The share of all interest that the first n products have together. */
const shares = [];
let sum = 0;
for (let rank = 1; rank <= PRODUCTS; rank++) shares.push((sum += 1 / rank));

/** @returns {string} the id of a product */
export function pickPopular() {
  const wanted = Math.random() * sum;
  let low = 0;
  let high = shares.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shares[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return `prod_${low}`;
}
