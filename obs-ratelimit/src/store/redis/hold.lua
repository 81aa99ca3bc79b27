-- Places: each field is a holder, and says how many it holds, until which millisecond, and by which
-- of its calls.
local holder, turn, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keep, want, least = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local valid_for = tonumber(ARGV[7])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local kept = redis.call('HGETALL', KEYS[1])
local others, latest = 0, 0
for i = 1, #kept, 2 do
  local places, ends, of = string.match(kept[i + 1], '^(%d+) (%d+) (%d+)$')
  if not places then return redis.error_reply('ERR a holder that is none') end
  if tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], kept[i])
  elseif kept[i] == holder then
    if tonumber(of) >= turn then return { 0, 0, 0, 0 } end
  else
    others, latest = others + tonumber(places), math.max(latest, tonumber(ends))
  end
end

local free = math.max(limit - others - keep, 0)
local added = math.min(want, free)
if added < least then added = 0 end
if keep + added > 0 then
  local ends = now + valid_for
  redis.call('HSET', KEYS[1], holder, string.format('%.0f %.0f %.0f', keep + added, ends, turn))
  latest = math.max(latest, ends)
else
  redis.call('HDEL', KEYS[1], holder)
end
if latest > 0 then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', latest - now + 1000))
end
return { added, free - added, 0, 0 }
