-- One window: w is its start in the caller's unit, u what is used of it, p what was used of the
-- window before, k the number of grants. Every number stays below 2^53, where doubles are exact.
local limit, kind, period = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local want, least, debit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local unit = tonumber(ARGV[7])

local clock = redis.call('TIME')
local now = math.floor((tonumber(clock[1]) * 1000000 + tonumber(clock[2])) / unit)
local kept = redis.call('HMGET', KEYS[1], 'w', 'u', 'p', 'k')
local w, u, p, k = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0,
  tonumber(kept[4]) or 0
-- A clock that was set back does not open an old window again.
if now < w then now = w end

-- The days from 1970 to the first of a month, by Howard Hinnant's days_from_civil.
local function first_day(year, month)
  if month <= 2 then year = year - 1 end
  local era = math.floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5)
  local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4)
    - math.floor(year_of_era / 100) + day_of_year
  return era * 146097 + day_of_era - 719468
end

local first, last = now - now % period, 0
if kind == 'month' then
  local day = 86400000000 / unit
  local today = math.floor(now / day)
  local year = 1970 + math.floor(today / 366)
  while first_day(year + 1, 1) <= today do year = year + 1 end
  local month = 12
  while first_day(year, month) > today do month = month - 1 end
  first = first_day(year, month) * day
  if month == 12 then last = first_day(year + 1, 1) * day else last = first_day(year, month + 1) * day end
else
  last = first + period
end
local length = last - first

if w ~= first then
  if kind == 'sliding' and w + length == first then p = u else p = 0 end
  w, u = first, 0
end
u = math.min(u + debit, math.max(u, 2 * limit))

local carried = math.ceil(p * (last - now) / length)
local there = math.max(limit - carried - u, 0)
local tokens, wait = math.min(want, there), 0
if tokens < least then
  tokens = 0
  local room = limit - u - least
  if there >= least then
    wait = 0
  elseif kind ~= 'sliding' then
    wait = last - now
  elseif room >= 0 then
    wait = math.max(last - math.floor(room * length / p) - now, 1)
  else
    wait = math.max(last + length - math.floor((limit - least) * length / u), last) - now
  end
else
  u, k = u + tokens, k + 1
end
if tokens > 0 or debit > 0 then
  redis.call('HSET', KEYS[1], 'w', string.format('%.0f', w), 'u', string.format('%.0f', u),
    'p', string.format('%.0f', p), 'k', string.format('%.0f', k))
  local keep = last - now
  if kind == 'sliding' then keep = keep + length end
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(keep * unit / 1000) + 1000))
end
return { tokens, there - tokens, wait, k, w, last - now }
