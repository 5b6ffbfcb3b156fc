-- For wrk: orders of two lines, over so many products. wrk -s order.lua http://localhost:5002 -- 190
local products = 190
local body = '{"customer_id":"customer-%d","items":[{"product_id":"prod_%d","quantity":1},{"product_id":"prod_%d","quantity":2}]}'
local headers = { ["Content-Type"] = "application/json" }

init = function(arguments)
  products = tonumber(arguments[1]) or products
end

request = function()
  local one = math.random(0, products - 1)
  local other = (one + math.random(1, products - 1)) % products
  return wrk.format("POST", "/orders", headers, body:format(math.random(1, 1000), one, other))
end
