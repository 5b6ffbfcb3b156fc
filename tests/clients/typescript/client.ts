// Places, pages and fails with a client that openapi-typescript has made from the documents.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components as Inventory, paths as InventoryPaths } from "./obj/inventory.js";
import type { components as Orders, operations as OrderOperations, paths as OrderPaths } from "./obj/orders.js";
import type { paths as ProductPaths } from "./obj/products.js";

const [productsUrl, ordersUrl, inventoryUrl, key] = process.argv.slice(2);
assert(productsUrl && ordersUrl && inventoryUrl && key, "usage: client.js PRODUCTS-URL ORDERS-URL INVENTORY-URL KEY");

const headers = { Authorization: `Bearer ${key}` };
const products = createClient<ProductPaths>({ baseUrl: productsUrl, headers });
const orders = createClient<OrderPaths>({ baseUrl: ordersUrl, headers });
const inventory = createClient<InventoryPaths>({ baseUrl: inventoryUrl, headers });

let passed = 0;
function that(holds: boolean, sentence: string): void {
  assert(holds, `It does not hold that ${sentence}.`);
  passed++;
}

// What the document says of headers is known at compile time alone; at run time they are text.
type Declared<T, Name extends string> = Name extends keyof T ? (string extends Name ? never : Name) : never;
type ListHeaders = OrderOperations["listOrders"]["responses"][200]["headers"];
const total: Declared<ListHeaders, "X-Total-Count"> = "X-Total-Count";
const rows: ListHeaders["X-Total-Count"] = 5;
const replayed: OrderOperations["placeOrder"]["responses"][201]["headers"]["Idempotency-Replayed"] = "true";

const created = await products.POST("/products", { body: { name: "Oak shelf", price: 0.1, category: "TypeScript", initial_stock: 5 } });
const shelf = created.data;
assert(shelf);
that(created.response.status === 201 && created.response.headers.get("Location") === `/products/${shelf.id}`, "a product is created");
const tag = created.response.headers.get("ETag");
assert(tag);

const same = await products.GET("/products/{id}", { params: { path: { id: shelf.id }, header: { "If-None-Match": tag } } });
that(same.response.status === 304, "what was read is still right");
const stale = await products.PUT("/products/{id}", { params: { path: { id: shelf.id }, header: { "If-Match": '"other"' } }, body: { name: "Pine shelf", price: 2 } });
that(stale.response.status === 412 && stale.error?.status === 412, "it is not replaced if it is not as it was seen");

for (let i = 0; i < 4; i++) await products.POST("/products", { body: { name: `Part ${i}`, price: 1, category: "TypeScript", initial_stock: 0 } });
const ids = new Set<string>();
let after: string | undefined;
do {
  const page = await products.GET("/products", { params: { query: { category: "TypeScript", limit: 2, sort: "-id", ...(after === undefined ? {} : { after }) } } });
  that(Number(page.response.headers.get(total)) === rows, "a page says how many there are");
  for (const product of page.data ?? []) ids.add(product.id);
  const next = page.response.headers.get("Link")?.match(/^<([^>]+)>; rel="next"$/)?.[1];
  after = next === undefined ? undefined : (new URL(next, productsUrl).searchParams.get("after") ?? undefined);
} while (after !== undefined);
that(ids.size === rows, "three pages have every product");

const wish: Orders["schemas"]["PlaceOrderRequest"] = { customer_id: "typescript", items: [{ product_id: shelf.id, quantity: 3 }] };
const header = { "Idempotency-Key": crypto.randomUUID() };
const placed = await orders.POST("/orders", { params: { header }, body: wish });
const order = placed.data;
assert(order);
const first: Orders["schemas"]["OrderStatus"] = "created";
that(placed.response.status === 201 && order.status === first && order.total_amount === 0.3, "an order is placed");
const again = await orders.POST("/orders", { params: { header }, body: wish });
that(again.data?.order_id === order.order_id && again.response.headers.get("Idempotency-Replayed") === replayed, "its repeat is a replay");

const tooMany = await orders.POST("/orders", { body: wish });
const shortage = tooMany.error?.shortages?.[0];
that(tooMany.response.status === 409 && shortage?.requested === 3 && shortage.available === 2, "too little stock is named");
const wrong = await orders.POST("/orders", { body: { customer_id: "", items: [] } });
that(wrong.response.status === 400 && wrong.error?.errors?.["items"]?.length === 1, "what is wrong is named");
const missing = await orders.GET("/orders/{order_id}", { params: { path: { order_id: "no-such-order" } } });
that(missing.response.status === 404 && missing.error?.trace_id.length === 32, "an order that is not there is not found");
const keyless = await createClient<OrderPaths>({ baseUrl: ordersUrl }).POST("/orders", { body: wish });
that(keyless.response.status === 401 && keyless.response.headers.has("WWW-Authenticate"), "without a key nothing is placed");

const paid = await orders.POST("/orders/{order_id}/pay", { params: { path: { order_id: order.order_id } } });
that(paid.data?.status === "paid", "it is paid");
const shipped = await orders.POST("/orders/{order_id}/deliver", { params: { path: { order_id: order.order_id } } });
that(shipped.response.status === 409, "what is not shipped can't be delivered");
const movements = await inventory.GET("/inventory/{product_id}/movements", { params: { path: { product_id: shelf.id } } });
const kinds: Inventory["schemas"]["MovementKind"][] = movements.data?.map((movement) => movement.kind) ?? [];
that(kinds.join() === "reserved,received", "its movements say so");
const deleted = await products.DELETE("/products/{id}", { params: { path: { id: shelf.id } } });
that(deleted.response.status === 204, "a product is deleted");
console.log(`TypeScript: ${passed} passed`);
