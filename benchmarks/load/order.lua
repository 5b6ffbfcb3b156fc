-- For wrk: orders of two lines, over so many products; of one line if all want the same. wrk -s order.lua http://localhost:5002 -- 190
-- With SECOND_PORT, half of wrk's threads ask a second host there.
local products = 190
local body = '{"customer_id":"customer-%d","items":[{"product_id":"prod_%d","quantity":1},{"product_id":"prod_%d","quantity":2}]}'
local single = '{"customer_id":"customer-%d","items":[{"product_id":"prod_0","quantity":1}]}'
local headers = { ["Content-Type"] = "application/json" }

local second = os.getenv("SECOND_PORT")
local threads = 0

setup = function(thread)
  threads = threads + 1
  if second and threads % 2 == 0 then thread.addr = wrk.lookup(wrk.host, second)[1] end
end

init = function(arguments)
  products = tonumber(arguments[1]) or products
end

request = function()
  if products == 1 then
    return wrk.format("POST", "/orders", headers, single:format(math.random(1, 1000)))
  end
  local one = math.random(0, products - 1)
  local other = (one + math.random(1, products - 1)) % products
  return wrk.format("POST", "/orders", headers, body:format(math.random(1, 1000), one, other))
end
