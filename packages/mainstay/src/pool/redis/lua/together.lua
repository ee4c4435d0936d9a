-- Several transitions of clients, one after the other as if each had come by itself, in one call: what they read alike is read
-- once. One that fails takes nothing with it.
--
-- input   [{ script: 'acquire' | …, now, input }, …], at most as many as one step may hold others up for
-- returns [answer of each, …]; one that was broken off in the middle answers { JSON with `broken`, {}, {} }

local asked = input
local answers = {}
for index = 1, #asked do
  local one = asked[index]
  now, input, changes = one.now, one.input, {}
  local done, reply = pcall(transitions[one.script])
  if not done then
    local why = type(reply) == 'table' and reply.err or tostring(reply)
    reply = { cjson.encode({ broken = why }), {}, {} }
  end
  answers[index] = reply
end
return answers
