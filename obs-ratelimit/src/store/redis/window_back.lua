-- Tokens of a window that is over are worth nothing.
local tokens, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'w', 'u')
if tonumber(kept[1]) == window then
  local used = math.max((tonumber(kept[2]) or 0) - tokens, 0)
  redis.call('HSET', KEYS[1], 'u', string.format('%.0f', used))
end
return 1
