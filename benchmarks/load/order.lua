-- An order of two lines for wrk, over the first 190 products.
local number = 0
local body = '{"customer_id":"bench-%d","items":[{"product_id":"prod_%d","quantity":1},{"product_id":"prod_%d","quantity":2}]}'
local headers = { ["Content-Type"] = "application/json" }

request = function()
  number = number + 1
  local product = number % 190
  return wrk.format("POST", "/orders", headers, body:format(number % 1000, product, (product + 95) % 190))
end
