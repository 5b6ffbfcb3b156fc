// @ts-check
// A trace for each order, if the shop records traces: all tries at an order are in one, which begins here.

// Of how many orders: TRACES=0.01 is one in a hundred.
const share = Number(__ENV.TRACES || 0);

/**
 * The header of W3C Trace Context; none unless TRACES is set.
 * @returns {Record<string, string>}
 */
export function traceparent() {
  if (!(share > 0)) return {};
  return { traceparent: `00-${hex(32)}-${hex(16)}-${Math.random() < share ? '01' : '00'}` };
}

/** @param {number} digits */
function hex(digits) {
  let text = '';
  while (text.length < digits) text += Math.floor(Math.random() * 16).toString(16);
  return text;
}
