-- A bucket that is not kept is full: there is nothing to give back to.
local limit, period, tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = tonumber(redis.call('HGET', KEYS[1], 't'))
if t then
  local back = math.floor(tokens * period / limit)
  redis.call('HSET', KEYS[1], 't', string.format('%.0f', math.max(t - back, 0)))
end
return 1
