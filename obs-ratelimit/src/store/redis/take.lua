-- One bucket: t is when it is full, in the caller's unit, f the rest of it over the limit, k the
-- number of grants. Every number stays below 2^53, where doubles are exact.
local limit, period, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local want, least, debit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local unit = tonumber(ARGV[7])

local clock = redis.call('TIME')
local now = math.floor((tonumber(clock[1]) * 1000000 + tonumber(clock[2])) / unit)
local kept = redis.call('HMGET', KEYS[1], 't', 'f', 'k')
local t, f, k = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0

local full = burst * period
local full_whole = math.floor(full / limit)
if f >= limit then t, f = t + 1, 0 end
if t < now then t, f = now, 0 end
-- A debt deeper than two buckets is of another quota.
local is_cut = t > now + 2 * full_whole
if is_cut then t, f = now + 2 * full_whole, 0 end

local function charge(tokens)
  local cost = tokens * period
  local whole = math.floor(cost / limit)
  t, f = t + whole, f + cost - whole * limit
  if f >= limit then t, f = t + 1, f - limit end
end

if debit > 0 then
  charge(math.min(debit, burst))
  if t > now + 2 * full_whole then t, f = now + 2 * full_whole, 0 end
end

local room = full - (t - now) * limit - f
local there = 0
if room > 0 then there = math.floor(room / period) end
local tokens, wait = math.min(want, there), 0
if tokens < least then
  tokens, wait = 0, math.max(math.ceil((least * period - room) / limit), 0)
else
  charge(tokens)
  k = k + 1
end
if tokens > 0 or debit > 0 or is_cut then
  redis.call('HSET', KEYS[1], 't', string.format('%.0f', t), 'f', string.format('%.0f', f),
    'k', string.format('%.0f', k))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((t - now + 1) * unit / 1000) + 1000))
end
return { tokens, there - tokens, wait, k }
