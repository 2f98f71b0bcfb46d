import { WINDOW_SECONDS } from '../limits/minute-window.js';
import { SLOT_RETRY_MS } from '../limits/account-limits.js';
import { reserveLua, script, settleLua, voidLua } from './scripts.js';

/**
 * The actions of requests that count in limits: those of `scripts.ts`, in one call with their limits, so that a request
 * counts everywhere or nowhere. Behind the key of the account come two keys for each scope:
 *
 * - its window, a hash: `s` the second in which it was moved last, `r` and `t` what it has in all, and `r0` … `t60` a
 *   cell for each second, see `MinuteWindow`;
 * - its slots, a sorted set: running requests by the end of their lease (ms). A gateway that is gone renews nothing.
 *
 * Lost, or older than they are worth, they begin anew: no money hangs on them.
 */
const WINDOW_MS = (WINDOW_SECONDS + 1) * 1000;

/** `window` gives the second in which it stands, its requests and its tokens; a clock that goes back stands still, unless by more than is kept. */
const WINDOW = `
local function scopes() return (#KEYS - 1) / 2 end
local function window(place, at)
  local second, found = math.floor(at / 1000), redis.call('HMGET', place, 's', 'r', 't')
  local last = tonumber(found[1])
  if not last or math.abs(second - last) >= ${WINDOW_SECONDS} then
    redis.call('DEL', place)
    return second, 0, 0, true
  end
  local requests, tokens = tonumber(found[2]), tonumber(found[3])
  if second <= last then return last, requests, tokens, false end
  local old = {}
  for cell = last + 1, second do
    old[#old + 1] = 'r' .. cell % ${WINDOW_SECONDS}
    old[#old + 1] = 't' .. cell % ${WINDOW_SECONDS}
  end
  local gone = redis.call('HMGET', place, unpack(old))
  for index = 1, #old, 2 do
    requests = requests - (tonumber(gone[index]) or 0)
    tokens = tokens - (tonumber(gone[index + 1]) or 0)
  end
  redis.call('HDEL', place, unpack(old))
  redis.call('HSET', place, 's', write(second), 'r', write(requests), 't', write(tokens))
  return second, requests, tokens, false
end
`;

/** ARGV from 8 on: tokens, then for each scope the limits of requests, tokens and slots, 0 where there is none. → also: limited scope kind limit wait (ms). */
const REFUSE = `${WINDOW}
local at, tokens = now(), tonumber(ARGV[8])
local counted, second, refusal = {}, 0, nil
local function wait(place, letter, last, leaving)
  local names = {}
  for cell = last - ${WINDOW_SECONDS - 1}, last do names[#names + 1] = letter .. cell % ${WINDOW_SECONDS} end
  local cells = redis.call('HMGET', place, unpack(names))
  local index = 1
  while index < ${WINDOW_SECONDS} do
    leaving = leaving - (tonumber(cells[index]) or 0)
    if leaving <= 0 then break end
    index = index + 1
  end
  return (last + index) * 1000 - at
end
local function refuse(scope, kind, limit, ms)
  if not refusal or ms > refusal[5] then refusal = {'limited', scope - 1, kind, limit, ms} end
end
for scope = 1, scopes() do
  local place, slots = KEYS[2 * scope], KEYS[2 * scope + 1]
  local rpm, tpm, most = tonumber(ARGV[6 + 3 * scope]), tonumber(ARGV[7 + 3 * scope]), tonumber(ARGV[8 + 3 * scope])
  if rpm > 0 or tpm > 0 then
    local last, requests, used = window(place, at)
    counted[place], second = {last, requests, used}, math.max(second, last)
    if rpm > 0 and requests + 1 > rpm then refuse(scope, 'requests', rpm, wait(place, 'r', last, requests + 1 - rpm)) end
    if tpm > 0 and used + tokens > tpm then refuse(scope, 'tokens', tpm, wait(place, 't', last, used + tokens - tpm)) end
  end
  if most > 0 then
    redis.call('ZREMRANGEBYSCORE', slots, '-inf', write(at))
    redis.call('ZREMRANGEBYSCORE', slots, '(' .. write(at + tonumber(ARGV[3])), '+inf')
    if redis.call('ZCARD', slots) >= most then refuse(scope, 'concurrency', most, ${SLOT_RETRY_MS}) end
  end
end
if refusal then return refusal end
`;

const COUNT = `
for scope = 1, scopes() do
  local place, slots = KEYS[2 * scope], KEYS[2 * scope + 1]
  local has = counted[place]
  if has then
    local cell = has[1] % ${WINDOW_SECONDS}
    redis.call('HSET', place, 's', write(has[1]), 'r', write(has[2] + 1), 't', write(has[3] + tokens))
    redis.call('HINCRBY', place, 'r' .. cell, 1)
    redis.call('HINCRBY', place, 't' .. cell, write(tokens))
    redis.call('PEXPIRE', place, ${WINDOW_MS})
  end
  if ARGV[8 + 3 * scope] ~= '0' then
    redis.call('ZADD', slots, write(at + tonumber(ARGV[3])), id)
    redis.call('PEXPIRE', slots, ARGV[3])
  end
end
`;

/** `usedTokens` is a number in Lua, or nil. Of a second that has left the window, what was more counts now, see `MinuteWindow`. */
const end = (usedTokens: string): string => `${WINDOW}
local counted, tokens = string.match(record or '', '^h|%d+|%d@(%d+)@(%d+)')
local used = ${usedTokens}
for scope = 1, scopes() do
  local place = KEYS[2 * scope]
  redis.call('ZREM', KEYS[2 * scope + 1], id)
  if counted and counted ~= '0' and used then
    local last, requests, total, empty = window(place, now())
    local age, more = last - counted, used - tokens
    if (age < 0 or age >= ${WINDOW_SECONDS}) and more > 0 then
      redis.call('HINCRBY', place, 't' .. last % ${WINDOW_SECONDS}, write(more))
      redis.call('HSET', place, 's', write(last), 'r', write(requests), 't', write(total + more))
      redis.call('PEXPIRE', place, ${WINDOW_MS})
    elseif age >= 0 and age < ${WINDOW_SECONDS} and not empty then
      local cell = 't' .. counted % ${WINDOW_SECONDS}
      local change = math.max(more, 0 - (tonumber(redis.call('HGET', place, cell)) or 0))
      redis.call('HINCRBY', place, cell, write(change))
      redis.call('HSET', place, 't', write(total + change))
    end
  end
end
`;

export const RESERVE_LIMITED = script('reserve-limited', reserveLua({ refuse: REFUSE, mark: `'@' .. write(second) .. '@' .. write(tokens) .. `, count: COUNT }));

/** ARGV from 5 on: tokens that it used, empty if that is not known. */
export const SETTLE_LIMITED = script('settle-limited', settleLua(end('tonumber(ARGV[5])')));

/** A slot is free whether or not the account is known: nobody repeats this where it is cold. */
const FREE = `for scope = 1, (#KEYS - 1) / 2 do redis.call('ZREM', KEYS[2 * scope + 1], id) end`;

export const VOID_LIMITED = script('void-limited', voidLua({ first: FREE, end: end('0') }));

/**
 * KEYS: slots alone. ARGV: lease ms, ids … Only who has a slot keeps it: a renewal may be overtaken by an end.
 */
export const RENEW_SLOTS = script(
  'renew-slots',
  `
local lease = write(now() + tonumber(ARGV[1]))
for index = 2, #ARGV do redis.call('ZADD', key, 'XX', lease, ARGV[index]) end
redis.call('PEXPIRE', key, ARGV[1])
return {'renewed'}
`,
);
