-- Lets at most muc_rate_joins people a second into a room, 3 by default; the others wait, in the order in which they came.
-- Left out: the same for leaving (muc_rate_leaves), so those who leave do so at once.

local throttle = require "util.throttle";

local rate = module:get_option_number("muc_rate_joins", 3);

local function let_in(room)
	local line = room.waiting_to_join;
	while line[1] and room.join_throttle:poll(1) do
		local event = table.remove(line, 1);
		if event.origin.conn then
			event.stanza.has_waited = true;
			room:handle_normal_presence(event.origin, event.stanza);
		end
	end
	if line[1] and not room.destroying then
		return 1 / rate; -- seconds until it is called again
	end
	room.waiting_to_join = nil;
end

-- First of all, before it is checked whether jicofo is there.
module:hook("muc-occupant-pre-join", function (event)
	local room = event.room;
	if event.stanza.has_waited then
		event.stanza.has_waited = nil;
		return;
	end
	room.join_throttle = room.join_throttle or throttle.create(rate, 1);
	if not room.waiting_to_join and room.join_throttle:poll(1) then
		return;
	end
	if not room.waiting_to_join then
		room.waiting_to_join = {};
		module:add_timer(1 / rate, function () return let_in(room); end);
	end
	table.insert(room.waiting_to_join, event);
	return true;
end, 9);
