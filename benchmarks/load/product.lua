-- For wrk: reads of single products, over so many of them. wrk -s product.lua http://localhost:5001 -- 190
local products = 190

init = function(arguments)
  products = tonumber(arguments[1]) or products
end

request = function()
  return wrk.format("GET", "/products/prod_" .. math.random(0, products - 1))
end
