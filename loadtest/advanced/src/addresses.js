// @ts-check
// Where the shop is.

export const PRODUCT_URL = __ENV.PRODUCT_URL || 'http://localhost:5001';
export const ORDER_URL = __ENV.ORDER_URL || 'http://localhost:5002';
export const INVENTORY_URL = __ENV.INVENTORY_URL || 'http://localhost:5003';
