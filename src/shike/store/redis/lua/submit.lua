-- with: base lanes leases history graph entries
-- Store runs of any kind. Each group (one caller's submission) is stored whole, or not at all where one of its ids is known.
--
-- Tape: groups; then of each: whether it is a repeat ('1'), entries; then each entry (`entries.lua`).
-- Touches P:run, P:lane*, P:slice*, P:gate*, P:keys, P:holders, P:dead, P:replayed, P:schedules, P:tt*.
-- Answers: now, {group, id that is known}…, {group, entry, id, fresh, due_at, why}… of those not simply stored.

if refuses(WRITES) then
  return phase_reply()
end
local stored, known = {}, {}
local groups, by_bucket = {}, {}
for group = 1, number() do
  groups[group] = { again = word() == '1' }
  for place = 1, number() do
    local entry = take_entry()
    groups[group][place] = entry
    by_bucket[entry.bucket] = by_bucket[entry.bucket] or {}
    table.insert(by_bucket[entry.bucket], entry.id)
  end
end

for bucket, ids in pairs(by_bucket) do
  for _, name in ipairs({ ':run', ':over', ':dead' }) do
    for place, found in ipairs(pick(KEYS[bucket] .. name, ids)) do
      known[ids[place]] = known[ids[place]] or found
    end
  end
end

local conflicts, answers = {}, {}

local function known_id(group)
  for _, entry in ipairs(group) do
    if known[entry.id] or stored[entry.id] then
      return entry.id
    end
  end
end

local function answer(group, place, id, fresh)
  local body = body_anywhere(id)
  answers[#answers + 1] = { group, place, id, fresh, body and due_of(body) or 0, '' }
  return answers[#answers]
end

local function store(group, place, entry)
  P = KEYS[entry.bucket]
  if known[entry.id] or stored[entry.id] then
    answer(group, place, entry.id, 1)
    return
  end
  stored[entry.id] = true
  local why, id = refusal(entry)
  if why then
    answer(group, place, id, 0)[6] = why
    stored[entry.id] = nil
  else
    store_entry(entry)
  end
end

for number_of_group, group in ipairs(groups) do
  local id = not group.again and known_id(group)
  if id then
    conflicts[#conflicts + 1] = { number_of_group, id }
  else
    for place, entry in ipairs(group) do
      store(number_of_group, place, entry)
    end
  end
end
tell()
return { now, conflicts, answers }
